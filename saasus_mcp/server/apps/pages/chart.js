// Charts: bars as a list, amounts over time as lines. Each has its figures as a table.

const SERIES = 7, MAX_TIMES = 800, DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 4", "12 4", "1 4"];
const count = (value) => (Number.isFinite(value) ? value : 0);

function chartView(chart) {
  const panels = (Array.isArray(chart.panels) ? chart.panels : []).filter(isObject).slice(0, 8);
  if (!panels.length) return null;
  const footer = inLanguage(chart.footer ?? "");
  const views = panels.map((panel) => panelView(panel, inLanguage(chart.time_label ?? ""), panels.length === 1));
  const choose = (chosen) => views.forEach((view, at) => {
    view.hidden = at !== chosen;
    buttons[at].setAttribute("aria-pressed", String(at === chosen));
  });
  const buttons = panels.map((panel, at) => el("button", { type: "button", click: () => choose(at) }, bdi(inLanguage(panel.title))));
  choose(0);
  return el("section", { class: "chart" }, el("h2", {}, bdi(inLanguage(chart.title))),
    panels.length > 1 ? el("div", { class: "choices", role: "group", "aria-label": t("apps.choose") }, buttons) : null, views,
    footer ? el("p", { class: "soft pre" }, bdi(footer)) : null);
}

/** Return a day or month of the form 2026-11-05 or 2026-11 as the reader writes it, or another text as it is. */
function shortTime(text, others) {
  const found = /^(\d{4})-(\d{2})(?:-(\d{2}))?$/.exec(text);
  if (!found) return text;
  const sameYear = others.every((each) => each.slice(0, 4) === text.slice(0, 4));
  const parts = { month: "short", ...(found[3] ? { day: "numeric" } : {}), ...(sameYear ? {} : { year: "numeric" }), timeZone: "UTC" };
  return format("DateTimeFormat", parts).format(Date.UTC(found[1], found[2] - 1, found[3] ?? 1));
}

function panelView(panel, timeLabel, alone) {
  const title = inLanguage(panel.title), isLines = Array.isArray(panel.lines);
  const figures = isLines ? lineFigures(panel, timeLabel) : barFigures(panel);
  const table = el("div", { hidden: true }, tableView({ title, rows: figures, level: "h4" }));
  const toggle = el("button", { type: "button", class: "plain", "aria-expanded": "false", click: () => {
    table.hidden = !table.hidden;
    drawing.hidden = !table.hidden;
    toggle.setAttribute("aria-expanded", String(!table.hidden));
    toggle.textContent = table.hidden ? t("apps.show_figures") : t("apps.show_chart");
  } }, t("apps.show_figures"));
  const drawing = isLines ? lineChart(panel, title) : barChart(panel);
  return el("div", { class: "panel" }, el("h3", { class: alone ? null : "unseen" }, bdi(title)), drawing, table, toggle);
}

const barsOf = (panel) => (Array.isArray(panel.bars) ? panel.bars : []).filter(isObject).slice(0, 50);

function barFigures(panel) {
  return barsOf(panel).map((bar) => ({
    [t("apps.name")]: inLanguage(bar.name), [t("apps.amount")]: count(bar.value),
    ...(bar.limit ? { [t("apps.limit")]: count(bar.limit), "%": Math.round((1000 * count(bar.value)) / bar.limit) / 10 } : {}),
  }));
}

function barChart(panel) {
  const bars = barsOf(panel), most = Math.max(1, ...bars.map((bar) => Math.max(count(bar.value), count(bar.limit))));
  return el("ul", { class: "bars" }, bars.map((bar) => {
    const share = bar.limit > 0 ? count(bar.value) / bar.limit : null;
    const level = share === null ? "" : share >= 1 ? " over" : share >= 0.8 ? " near" : "";
    const fillBar = el("span", { class: "fill" + level });
    fillBar.style.width = `${Math.max(count(bar.value) > 0 ? 0.5 : 0, (100 * count(bar.value)) / most)}%`;
    const mark = bar.limit > 0 ? el("span", { class: "mark" }) : null;
    if (mark) mark.style.insetInlineStart = `${(100 * bar.limit) / most}%`;
    const value = share === null ? formatNumber(count(bar.value))
      : t("apps.of_limit", { value: count(bar.value), limit: count(bar.limit), percent: formatPercent(share) });
    return el("li", {}, el("span", { class: "name" }, bdi(inLanguage(bar.name))),
      el("span", { class: "track", "aria-hidden": "true" }, fillBar, mark), el("span", { class: "value" }, value));
  }));
}

const linesOf = (panel) => panel.lines.filter((line) => isObject(line) && Array.isArray(line.values)).slice(0, SERIES);
const timesOf = (panel) => (Array.isArray(panel.times) ? panel.times : []).slice(-MAX_TIMES).map((each) => shown(each, 20));
const valuesOf = (line) => line.values.slice(-MAX_TIMES).map(count);

function lineFigures(panel, timeLabel) {
  const lines = linesOf(panel).map((line) => [inLanguage(line.name), valuesOf(line)]);
  return timesOf(panel).map((time, at) => ({ [timeLabel || t("apps.time")]: time, ...Object.fromEntries(lines.map(([name, values]) => [name, values[at] ?? 0])) }));
}

/** Return rounded values for the axis, from zero to at least the highest value. */
function ticks(most) {
  const rough = Math.max(most, 1) / 4, power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough));
  return Array.from({ length: Math.ceil(Math.max(most, 1) / step) + 1 }, (_, at) => at * step);
}

function lineChart(panel, title) {
  const lines = linesOf(panel), times = timesOf(panel), series = lines.map(valuesOf);
  const most = Math.max(1, ...series.map((values) => Math.max(0, ...values)));
  const holder = el("div", { class: "drawing" }), tip = el("div", { class: "tip", hidden: true });
  const frame = el("div", { class: "lines" }, holder, tip, el("ul", { class: "legend" }, lines.map((line, at) =>
    el("li", {}, swatch(at), bdi(inLanguage(line.name)), el("span", { class: "soft" }, formatNumber(series[at].reduce((sum, value) => Math.max(sum, value), 0)))))));

  function draw(width) {
    const height = 220, left = 12 + 7 * formatNumber(most).length, right = 30, top = 10, bottom = 26;
    const axis = ticks(most), highest = axis[axis.length - 1];
    const x = (at) => left + (times.length < 2 ? 0 : (at * (width - left - right)) / (times.length - 1));
    const y = (value) => top + (1 - value / highest) * (height - top - bottom);
    const every = Math.max(1, Math.ceil(times.length / Math.max(2, Math.floor((width - left) / 84))));
    const guide = svg("line", { class: "guide", y1: top, y2: height - bottom, visibility: "hidden" });
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": t("apps.chart_of", { title }) },
      axis.map((value) => [svg("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
        svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, formatNumber(value))]),
      times.map((time, at) => at % every ? null : svg("text", { x: x(at), y: height - 8, "text-anchor": "middle" }, shortTime(time, times))),
      series.map((values, at) => svg("polyline", { class: `line s${at}`, "stroke-dasharray": DASHES[at], points: values.map((value, each) => `${x(each)},${y(value)}`).join(" ") })), guide,
      times.length < 2 ? series.map((values, at) => svg("circle", { class: `dot s${at}`, cx: x(0), cy: y(values[0] ?? 0), r: 4 })) : null);
    const point = (event) => {
      const at = Math.round(((event.offsetX - left) / Math.max(1, width - left - right)) * (times.length - 1));
      if (at < 0 || at >= times.length) return leave();
      guide.setAttribute("x1", x(at)); guide.setAttribute("x2", x(at)); guide.setAttribute("visibility", "visible");
      const order = series.map((values, each) => [values[at] ?? 0, each]).sort((one, other) => other[0] - one[0]);
      tip.replaceChildren(el("strong", {}, times[at]), ...order.map(([value, each]) =>
        el("div", {}, swatch(each), bdi(inLanguage(lines[each].name)), el("b", {}, formatNumber(value)))));
      tip.hidden = false;
      tip.style.left = `${Math.min(Math.max(0, x(at) + 12), Math.max(0, width - tip.offsetWidth - 4))}px`;
    };
    const leave = () => { tip.hidden = true; guide.setAttribute("visibility", "hidden"); };
    drawing.addEventListener("pointermove", point);
    drawing.addEventListener("pointerleave", leave);
    holder.replaceChildren(drawing);
  }

  let drawn = 0;
  new ResizeObserver(() => {
    const width = Math.floor(holder.clientWidth);
    if (width > 0 && width !== drawn) draw(drawn = width);
  }).observe(holder);
  return frame;
}

function swatch(at) {
  return svg("svg", { class: "swatch", width: 22, height: 8, "aria-hidden": "true" },
    svg("line", { class: `line s${at}`, "stroke-dasharray": DASHES[at], x1: 0, x2: 22, y1: 4, y2: 4 }));
}
