// The app of jobs: progress, report, chart and table of a job; the approval that it waits for; or the list of jobs.

function listView(jobs) {
  const rows = jobs.filter(isObject).map((job) => ({ ...job, status: oneOf("apps.job_status.", String(job.status)) }));
  return rows.length ? tableView({ title: t("apps.jobs"), rows, level: "h1" }) : el("p", { class: "soft none" }, t("apps.no_jobs"));
}

start((result) => {
  if (isObject(result.data.approval)) return approvalView(result.data.approval);
  const { structured } = result;
  if (Array.isArray(structured?.jobs)) return listView(structured.jobs);
  if (!structured || typeof structured.job !== "string") return failureView(result);
  const titleOf = (data) => inLanguage(data.title ?? words(String(structured.name ?? "")));
  let place = jobView(structured, result.data, titleOf(result.data));
  if (canCallTools() && (structured.status === "running" || structured.status === "paused")) {
    repeat(async () => {
      const fresh = await readJob(structured.job);
      if (fresh.failed || fresh.structured?.job !== structured.job) throw new Error("unreadable");
      call.result = fresh;
      const next = jobView(fresh.structured, fresh.data, titleOf(fresh.data));
      place.replaceWith(next);
      place = next;
      return fresh.structured.status !== "running" && fresh.structured.status !== "paused";
    });
  }
  return place;
});
