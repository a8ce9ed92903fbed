// Tables: sort, filter and pages over bounded rows.

const GOOD = new Set(["applied", "skipped"]), BAD = new Set(["failed", "refused", "unknown", "unread", "over"]);

const MAX_ROWS = 5000, MAX_COLUMNS = 60, SAMPLE = 200, MAX_DEPTH = 4, CELL = 120;
const PAGE_SIZES = [10, 25, 50, 100];
const TIME_NAME = /(_at|_from|_until|_on|_date|timestamp|^at|^time|^ttl)$/;
const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/;
const UUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;
const NAMES = ["name", "display_name", "email", "title", "tenant_name", "attribute_name", "role_name", "unit_name"];
const PLAIN_NUMBER = /^-?(0|[1-9]\d{0,14})(\.\d{1,6})?$/;

/** Return a value as text, nested values as bounded JSON. */
function flat(value, depth = 0) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "object") return shown(value);
  if (depth >= MAX_DEPTH) return "…";
  const list = Array.isArray(value);
  const parts = Object.entries(value).slice(0, 20).map(([key, each]) => (list ? "" : `${shown(key, 60)}: `) + flat(each, depth + 1));
  const more = Object.keys(value).length > 20 ? ", …" : "";
  const text = parts.join(", ") + more;
  return shown(depth === 0 ? text : list ? `[${text}]` : `{${text}}`);
}

/** Return how a column is shown, from its name and its first values. */
function kindOf(name, rows) {
  const values = rows.slice(0, SAMPLE).map((row) => row[name]).filter((value) => value !== null && value !== undefined && value !== "");
  if (!values.length) return "text";
  const all = (test) => values.every(test);
  const isEpoch = (value) => typeof value === "number" && value > 946_684_800 && value < 32_503_680_000;
  if (all((value) => typeof value === "boolean")) return "yes";
  if (all((value) => typeof value === "string" && UUID.test(value))) return "id";
  if (name === "outcome") return "outcome";
  if (values.some((value) => typeof value === "object")) return "nested";
  if (TIME_NAME.test(name) && all(isEpoch)) return "epoch";
  if (all((value) => typeof value === "string" && ISO_TIME.test(value))) return "iso";
  const isNumber = (value) => typeof value === "number" || (typeof value === "string" && PLAIN_NUMBER.test(value));
  return all(isNumber) && !/(^|_)(id|code|number|postal_code)$/.test(name) ? "number" : "text";
}

function cellText(value, kind) {
  if (value === null || value === undefined || value === "") return "";
  if (kind === "number" && Number.isFinite(Number(value))) return formatNumber(Number(value));
  if (kind === "epoch" && Number.isFinite(value)) return formatTime(value);
  if (kind === "iso" && Number.isFinite(Date.parse(value))) return formatTime(Date.parse(value) / 1000);
  if (kind === "outcome") return oneOf("apps.row_outcome.", shown(value, 40));
  if (typeof value === "boolean") return value ? t("apps.yes") : t("apps.no");
  return flat(value);
}

const sortKey = (value, kind) => (kind === "iso" ? Date.parse(value) : kind === "number" || kind === "epoch" ? Number(value) : cellText(value, kind));
const folded = (text) => text.normalize("NFKC").toLowerCase();
const columnLabel = (name) => shown(Object.hasOwn(FIELDS[language], name) ? FIELDS[language][name] : oneOf("apps.field.", name), 80);

/** Return columns with names first, then what tells rows apart, then identifiers, nested values and what is mostly empty. */
function arrange(columns, rows) {
  const rank = ({ name, kind }) => {
    const values = rows.slice(0, SAMPLE).map((row) => flat(row[name])), full = values.filter(Boolean);
    if (2 * full.length < values.length) return 5;
    if (NAMES.includes(name)) return NAMES.indexOf(name) - NAMES.length;
    return kind === "id" ? 4 : kind === "nested" ? 3 : values.length > 3 && new Set(full).size === 1 ? 2 : 0;
  };
  return [...columns].sort((one, other) => rank(one) - rank(other));
}

/** Return a value with everything in it, as far as the bounds allow. */
function wholeView(value, kind, depth = 0) {
  if (typeof value !== "object" || value === null || depth >= MAX_DEPTH) return bdi((depth ? flat(value) : cellText(value, kind)) || "–");
  const inner = Object.entries(value).slice(0, 30);
  if (!inner.length) return bdi("–");
  if (!Array.isArray(value)) return facts(inner.map(([name, each]) => [bdi(columnLabel(name)), wholeView(each, kindOf(name, [value]), depth + 1)]));
  if (inner.every(([, each]) => typeof each !== "object")) return bdi(flat(value));
  return el("ol", {}, inner.map(([, each]) => el("li", {}, wholeView(each, "text", depth + 1))));
}

function asRows(list) {
  return list.slice(0, MAX_ROWS).map((each) => (isObject(each) ? each : { value: each }));
}

/** Return the rows of a CSV text, under the headings of its first line. */
function csvRows(text) {
  const lines = [], quoted = /"((?:[^"]|"")*)"|([^,\r\n]*)/y;
  let position = 0, row = [];
  while (position < text.length && lines.length <= MAX_ROWS) {
    quoted.lastIndex = position;
    const found = quoted.exec(text);
    row.push(found[1] !== undefined ? found[1].replace(/""/g, '"') : found[2]);
    position = quoted.lastIndex;
    if (text[position] === ",") { position += 1; if (position === text.length) row.push(""); continue; }
    const end = text.slice(position, position + 2) === "\r\n" ? 2 : 1;
    // What follows a closing quotation mark belongs to no cell.
    while (position < text.length && !/[\r\n]/.test(text[position])) position += 1;
    position += end;
    lines.push(row);
    row = [];
  }
  const [names = [], ...rest] = lines;
  return rest.map((cells) => Object.fromEntries(names.slice(0, MAX_COLUMNS).map((name, at) => [name, cells[at] ?? ""])));
}

/** Return a table of rows.

 * title: the heading. total: how many rows there are, if these are not all. load: returns all rows. ordered: the columns stay in their order.
 */
function tableView({ title, rows, total = rows.length, load = null, level = "h2", ordered = false }) {
  const state = { rows: asRows(rows), total, page: 0, size: PAGE_SIZES[0], filter: "", by: null, down: false, open: new Set(), all: false };
  const body = el("div", { class: "table" });
  let columns = [];

  function describe() {
    const names = [...new Set(state.rows.slice(0, SAMPLE).flatMap((row) => Object.keys(row)))].slice(0, MAX_COLUMNS);
    columns = names.map((name) => ({ name, label: columnLabel(name), kind: kindOf(name, state.rows) }));
    if (!ordered) columns = arrange(columns, state.rows);
  }

  const texts = new WeakMap();
  /** Return what a row is found by, made when it is first searched. */
  function searched(row) {
    if (!texts.has(row)) texts.set(row, folded(columns.map((each) => cellText(row[each.name], each.kind)).join("\n").slice(0, 4000)));
    return texts.get(row);
  }

  function found() {
    const wanted = folded(state.filter.trim());
    const left = wanted ? state.rows.filter((row) => searched(row).includes(wanted)) : [...state.rows];
    const column = columns.find((each) => each.name === state.by);
    if (!column) return left;
    const order = new Intl.Collator(language, { numeric: true });
    const isEmpty = (row) => row[column.name] === null || row[column.name] === undefined || row[column.name] === "";
    return left.sort((one, other) => {
      if (isEmpty(one) || isEmpty(other)) return isEmpty(one) - isEmpty(other);
      const a = sortKey(one[column.name], column.kind), b = sortKey(other[column.name], column.kind);
      const way = typeof a === "number" ? a - b : order.compare(a, b);
      return state.down ? -way : way;
    });
  }

  function sortBy(name) {
    if (state.by !== name) [state.by, state.down] = [name, false];
    else if (!state.down) state.down = true;
    else state.by = null;
    state.page = 0;
    draw();
  }

  const most = () => {
    const width = body.clientWidth || window.innerWidth;
    return width < 520 ? 3 : width < 1000 ? 6 : 10;
  };
  const visible = () => (state.all ? columns : columns.slice(0, most()));

  function heading(column) {
    const sorted = state.by === column.name ? (state.down ? "descending" : "ascending") : "none";
    return el("th", { scope: "col", class: column.kind, "aria-sort": sorted },
      el("button", { type: "button", "data-key": `sort ${column.name}`, click: () => sortBy(column.name) }, bdi(column.label),
        el("span", { class: "arrow", "aria-hidden": "true" }, sorted === "none" ? "" : state.down ? "↓" : "↑")));
  }

  function cell(row, column) {
    const text = cellText(row[column.name], column.kind);
    const short = column.kind === "id" ? text.slice(0, 8) + "…" : text.length > CELL ? text.slice(0, CELL) + "…" : text;
    if (text === "") return el("td", { class: column.kind }, el("span", { class: "soft" }, "–"));
    const good = column.kind === "outcome" ? (GOOD.has(row.outcome) ? " good" : BAD.has(row.outcome) ? " bad" : "") : "";
    return el("td", { class: column.kind + good, title: text.length > 20 ? text : null }, bdi(short));
  }

  function lines(row, number) {
    const isOpen = state.open.has(row), id = `row-${number}`;
    const toggle = () => { if (isOpen) state.open.delete(row); else state.open.add(row); draw(); };
    const more = el("td", { class: "more" }, el("button", {
      type: "button", class: "icon", "data-key": id, "aria-expanded": String(isOpen), "aria-label": t("apps.details", { number: number + 1 }), click: toggle,
    }, isOpen ? "−" : "+"));
    const line = el("tr", {}, more, visible().map((column) => cell(row, column)));
    if (!isOpen) return [line];
    const all = facts(columns.map((column) => [bdi(column.label), wholeView(row[column.name], column.kind)]));
    return [line, el("tr", { class: "open" }, el("td", { colspan: visible().length + 1 }, all))];
  }

  function pages(count) {
    const last = Math.max(0, Math.ceil(count / state.size) - 1);
    state.page = Math.min(state.page, last);
    const go = (page) => () => { state.page = page; draw(); };
    const choose = (event) => { state.size = Number(event.target.value); state.page = 0; draw(); };
    const from = count ? state.page * state.size + 1 : 0, to = Math.min(count, (state.page + 1) * state.size);
    return el("div", { class: "pages" },
      el("label", {}, el("span", {}, t("apps.page_size")), el("select", { "data-key": "size", change: choose },
        PAGE_SIZES.map((size) => el("option", { value: size, selected: size === state.size }, formatNumber(size))))),
      el("span", { class: "range" }, t("apps.range", { from, to, total: count })),
      el("button", { type: "button", "data-key": "back", disabled: state.page === 0, click: go(state.page - 1) }, t("apps.previous")),
      el("button", { type: "button", "data-key": "next", disabled: state.page === last, click: go(state.page + 1) }, t("apps.next")));
  }

  async function loadAll(event) {
    event.target.disabled = true;
    notice.textContent = t("apps.loading");
    try {
      const every = await load();
      state.rows = asRows(every);
      state.total = every.length;
      load = null;
      notice.textContent = "";
      describe();
    } catch { notice.textContent = t("apps.not_loaded"); }
    draw();
  }

  const notice = el("p", { class: "soft", role: "status" });
  const count = el("p", { class: "soft count", role: "status" });
  const search = el("input", { type: "search", placeholder: t("apps.filter"), "aria-label": t("apps.filter"), maxlength: 200, autocomplete: "off",
    input: () => { state.filter = search.value; state.page = 0; draw(); } });

  function draw() {
    const focused = body.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    const rows = found(), from = Math.min(state.page, Math.max(0, Math.ceil(rows.length / state.size) - 1)) * state.size;
    const shownRows = rows.slice(from, from + state.size);
    count.textContent = state.filter.trim() ? t("apps.found", { count: rows.length, total: state.rows.length }) : t("apps.rows", { count: state.total });
    const hidden = columns.length - most();
    const cut = state.total > state.rows.length;
    body.replaceChildren(...[
      cut ? el("div", { class: "hint" }, el("span", {}, t("apps.first_rows", { count: state.rows.length, total: state.total })),
        load && canReadResources() ? el("button", { type: "button", click: loadAll }, t("apps.load_all")) : null) : null,
      rows.length ? el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title },
        el("table", {}, el("thead", {}, el("tr", {}, el("td", { class: "more" }), visible().map(heading))),
          el("tbody", {}, shownRows.map((row, at) => lines(row, from + at))))) : el("p", { class: "soft none" }, t("apps.no_rows")),
      hidden > 0 ? el("button", { type: "button", class: "plain", "data-key": "columns", "aria-expanded": String(state.all),
        click: () => { state.all = !state.all; draw(); } }, state.all ? t("apps.fewer_columns") : t("apps.more_columns", { count: hidden })) : null,
      rows.length > PAGE_SIZES[0] ? pages(rows.length) : null,
    ].filter(Boolean));
    if (focused) [...body.querySelectorAll("[data-key]")].find((each) => each.dataset.key === focused)?.focus();
  }

  describe();
  draw();
  const tools = state.rows.length > 5 ? el("div", { class: "search" }, search) : null;
  return el("section", { class: "rows" }, el("div", { class: "bar" }, el("div", {}, el(level, {}, title), count), tools), notice, body);
}
