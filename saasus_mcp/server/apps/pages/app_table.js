// The app of tables: the rows of an answer, or of what was picked from a stored one.

/** Return the lists in an answer, the longest first. */
function tablesOf(value, data) {
  if (typeof value.result === "string") return value.result.includes("\n") ? [{ path: "result", rows: csvRows(value.result) }] : [];
  const inner = isObject(value.result) && Object.keys(value).length <= 2 ? [value.result, "result."] : [value, ""];
  return Object.entries(inner[0]).filter(([, each]) => Array.isArray(each) && each.length)
    .map(([name, rows]) => ({ path: inner[1] + name, rows, total: Number(data.totals?.[inner[1] + name]) || rows.length }))
    .sort((one, other) => other.rows.length - one.rows.length).slice(0, 4);
}

const within = (value, path) => path.split(".").reduce((inner, name) => (isObject(inner) ? inner[name] : undefined), value);

async function loadRows(uri, path) {
  const whole = JSON.parse(await readResource(uri));
  const rows = within(whole, path);
  if (!Array.isArray(rows)) throw new Error("no rows");
  return rows;
}

start((result) => {
  const { structured, data } = result;
  if (result.failed) return failureView(result);
  if (!structured) return finishedView();
  const title = callTitle(t("apps.table"));
  const tables = tablesOf(structured, data);
  const uri = typeof data.result === "string" && data.result.startsWith("saasus://results/") ? data.result : null;
  const views = tables.map(({ path, rows, total }, at) => tableView({
    title: at === 0 ? title : columnLabel(path.split(".").pop()), rows, total, level: at === 0 ? "h1" : "h2",
    load: uri ? () => loadRows(uri, path) : null }));
  const listed = new Set(tables.map(({ path }) => path));
  const others = Object.entries(structured).filter(([name, value]) => !listed.has(name) && !(name === "result" && tables.length) && value !== null && value !== "");
  if (!views.length && !others.some(([, value]) => !Array.isArray(value))) return el("section", {}, head(title, null), el("p", { class: "soft none" }, t("apps.no_rows")));
  return el("article", {}, views.length ? views : head(title, null),
    others.length ? facts(others.slice(0, 40).map(([name, value]) => [bdi(columnLabel(name)), bdi(cellText(value, kindOf(name, [structured])) || "–")])) : null);
});
