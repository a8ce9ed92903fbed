// The progress of a job, its numbers and what it made.

const FIRST_POLL_MS = 2000, SLOWEST_POLL_MS = 10_000, MAX_FAILED_POLLS = 3;
const JOB_KINDS = { running: "wait", paused: "wait", done: "good", failed: "bad", cancelled: "" };
const GOOD = new Set(["applied", "skipped"]), BAD = new Set(["failed", "refused", "unknown", "unread"]);

function jobView(job, data, title) {
  const done = Number(job.done) || 0, total = Number(job.total) || 0, counts = Object.entries(isObject(job.counts) ? job.counts : isObject(job.steps) ? job.steps : {});
  const running = job.status === "running" || job.status === "paused";
  return el("article", { class: "job" },
    head(bdi(title), badge(JOB_KINDS[job.status] ?? "", oneOf("apps.job_status.", String(job.status))), t("apps.job_id", { id: shown(job.job, 40) })),
    running || (job.status !== "done" && total) ? progress(done, total) : null,
    job.waiting ? el("p", { class: "hint pre" }, bdi(shown(job.waiting))) : null,
    job.why ? el("p", { class: "hint bad pre" }, bdi(shown(job.why, 2000))) : null,
    counts.length ? el("dl", { class: "tiles" }, counts.slice(0, 12).map(([name, value]) => el("div", {},
      el("dt", {}, oneOf("apps.count.", name)), el("dd", { class: BAD.has(name) && value ? "bad" : GOOD.has(name) ? "good" : "" }, typeof value === "number" ? formatNumber(value) : shown(value))))) : null,
    isObject(data.chart) ? chartView(data.chart) : null,
    productView(job),
    outcomesView(job),
    notesView(job.notes));
}

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
function productView(job) {
  const uri = stored(job.result), title = t("apps.table");
  const load = uri ? async () => readRows(await readResource(uri)) : null;
  if (typeof job.csv === "string") return tableView({ title, rows: csvRows(job.csv) });
  if (Array.isArray(job.records)) return job.records.length ? tableView({ title, rows: job.records }) : null;
  if (!load || isObject(job.document)) return null;
  return canReadResources() ? loadLater(title, load) : null;
}

function outcomesView(job) {
  const rows = Array.isArray(job.rows) ? job.rows : [], uri = stored(job.all_rows);
  if (!rows.length) return null;
  const all = isObject(job.counts) ? Object.values(job.counts).reduce((sum, each) => sum + (Number(each) || 0), 0) : 0;
  const total = uri ? Math.max(rows.length + 1, all) : rows.length;
  return tableView({ title: t("apps.outcomes"), rows, total, load: uri ? async () => readRows(await readResource(uri)) : null });
}

function loadLater(title, load) {
  const place = el("section", { class: "rows" }), notice = el("p", { class: "soft", role: "status" });
  const act = async (event) => {
    event.target.disabled = true;
    notice.textContent = t("apps.loading");
    try {
      const rows = await load();
      place.replaceWith(tableView({ title, rows }));
    } catch { notice.textContent = t("apps.not_loaded"); event.target.disabled = false; }
  };
  place.append(el("div", { class: "bar" }, el("h2", {}, title), el("button", { type: "button", click: act }, t("apps.show_table"))), notice);
  return place;
}

const stored = (uri) => (typeof uri === "string" && uri.startsWith("saasus://results/") ? uri : null);

function readRows(text) {
  try {
    const value = JSON.parse(text);
    if (Array.isArray(value)) return value;
  } catch { /* a CSV text */ }
  return csvRows(text);
}

function notesView(notes) {
  const list = (Array.isArray(notes) ? notes : []).slice(0, 20);
  return list.length ? el("ul", { class: "notes soft" }, list.map((note) => el("li", {}, bdi(shown(note))))) : null;
}

/** Read the job again and again until it is over, slower each time, while the page is visible. */
function follow(job, seen) {
  let pause = FIRST_POLL_MS, failed = 0;
  async function poll() {
    if (document.visibilityState === "visible") {
      try {
        const fresh = await readJob(job);
        if (fresh.failed || fresh.structured?.job !== job) throw new Error("unreadable");
        failed = 0;
        if (seen(fresh)) return;
      } catch { failed += 1; if (failed >= MAX_FAILED_POLLS) return; }
    }
    pause = Math.min(pause * 1.25, SLOWEST_POLL_MS);
    later(pause, poll);
  }
  later(pause, poll);
}
