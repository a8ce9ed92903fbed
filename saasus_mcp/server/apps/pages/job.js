// The progress of a job, its numbers and what it made.

const JOB_KINDS = { running: "wait", paused: "wait", done: "good", failed: "bad", cancelled: "" };

function jobView(job, data, title) {
  const done = Number(job.done) || 0, total = Number(job.total) || 0, counts = Object.entries(isObject(job.counts) ? job.counts : isObject(job.steps) ? job.steps : {});
  const running = job.status === "running" || job.status === "paused";
  return el("article", { class: "job" },
    head(bdi(title), badge(JOB_KINDS[job.status] ?? "", oneOf("apps.job_status.", String(job.status))), t("apps.job_id", { id: shown(job.job, 40) })),
    running || (job.status !== "done" && total) ? progress(done, total) : null,
    job.waiting ? el("p", { class: "hint pre" }, bdi(shown(job.waiting))) : null,
    job.why ? el("p", { class: "hint bad pre" }, bdi(shown(job.why, 2000))) : null,
    counts.length ? el("dl", { class: "tiles" }, counts.slice(0, 12).map(([name, value]) => el("div", {},
      el("dt", {}, countLabel(name)), el("dd", { class: BAD.has(name) && value ? "bad" : GOOD.has(name) ? "good" : "" }, typeof value === "number" ? formatNumber(value) : shown(value))))) : null,
    isObject(data.chart) ? chartView(data.chart) : null,
    productView(job, isObject(data.chart)),
    outcomesView(job),
    notesView(data.notes ?? job.notes, data.chart?.footer));
}

/** Return the name of a number: how rows ended, or what a report counts. */
const countLabel = (name) => Object.hasOwn(TEXTS[language], "apps.row_outcome." + name) ? oneOf("apps.row_outcome.", name) : oneOf("apps.count.", name);

function progress(done, total) {
  const share = total ? Math.min(1, done / total) : 0, bar = el("span", { class: "fill" });
  bar.style.width = `${100 * share}%`;
  const text = total ? t("apps.done_of", { done, total }) : t("apps.done", { count: done });
  return el("div", { class: "progress" },
    el("div", { class: "track", role: "progressbar", "aria-label": t("apps.progress"), "aria-valuemin": 0, "aria-valuemax": total || 100,
      "aria-valuenow": total ? Math.min(done, total) : null, "aria-valuetext": text }, bar),
    el("p", {}, el("span", {}, text), total ? el("strong", {}, formatPercent(share)) : null));
}

/** Return the table that a job made: its text or records, or what is stored of them. */
function productView(job, charted) {
  const uri = stored(job.result), title = t("apps.table"), rows = productRows(job);
  const load = uri ? async () => readRows(await readResource(uri)) : null;
  if (rows) return !rows.length ? null : charted ? openLater(title, async () => rows) : tableView({ title, rows, ordered: true });
  return load && !isObject(job.document) && canReadResources() ? openLater(title, load) : null;
}

const productRows = (job) => (typeof job.csv === "string" ? csvRows(job.csv) : Array.isArray(job.records) ? job.records : null);

function outcomesView(job) {
  const rows = Array.isArray(job.rows) ? job.rows : [], uri = stored(job.all_rows);
  if (!rows.length) return null;
  const all = isObject(job.counts) ? Object.values(job.counts).reduce((sum, each) => sum + (Number(each) || 0), 0) : 0;
  const total = uri ? Math.max(rows.length + 1, all) : rows.length, load = uri ? async () => readRows(await readResource(uri)) : null;
  // Rows without an outcome are a summary of the table.
  if (!rows.some((row) => isObject(row) && row.outcome)) return productRows(job)?.length ? null : tableView({ title: t("apps.summary"), rows });
  return tableView({ title: t("apps.outcomes"), rows, total, load, ordered: true });
}

/** Return a heading with a button that shows the table, and hides it again. */
function openLater(title, load) {
  const place = el("div"), notice = el("p", { class: "soft", role: "status" });
  let table = null;
  const button = el("button", { type: "button", "aria-expanded": "false", click: async () => {
    if (!table) {
      notice.textContent = t("apps.loading");
      try { table = tableView({ title, rows: await load(), level: "h3", ordered: true }); } catch { notice.textContent = t("apps.not_loaded"); return; }
      notice.textContent = "";
      place.replaceChildren(table);
    } else place.hidden = !place.hidden;
    button.setAttribute("aria-expanded", String(!place.hidden));
    button.textContent = place.hidden ? t("apps.show_table") : t("apps.hide_table");
  } }, t("apps.show_table"));
  return el("section", { class: "rows" }, el("div", { class: "bar" }, el("h2", {}, title), button), notice, place);
}

const stored = (uri) => (typeof uri === "string" && uri.startsWith("saasus://results/") ? uri : null);

function readRows(text) {
  try {
    const value = JSON.parse(text);
    if (Array.isArray(value)) return value;
  } catch { /* a CSV text */ }
  return csvRows(text);
}

/** Return the notes, without those that stand below the chart. */
function notesView(notes, footer) {
  const below = inLanguage(footer ?? "");
  const list = (Array.isArray(notes) ? notes : []).map(inLanguage).filter((note) => !below.includes(note)).slice(0, 20);
  return list.length ? el("ul", { class: "notes soft" }, list.map((note) => el("li", {}, bdi(note)))) : null;
}
