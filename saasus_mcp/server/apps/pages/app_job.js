// The app of jobs: progress, report, chart and table of a job; the approval that it waits for; or the list of jobs.

function listView(jobs) {
  const rows = jobs.filter(isObject).map((job) => ({ ...job, status: oneOf("apps.job_status.", String(job.status)) }));
  return rows.length ? tableView({ title: t("apps.jobs"), rows, level: "h1" }) : el("p", { class: "soft none" }, t("apps.no_jobs"));
}

start((result) => {
  if (isObject(result.data.approval)) return approvalView(result.data.approval);
  // A job that failed has no structured content: the call about it did not succeed.
  const jobOf = ({ structured, data }) => structured ?? (isObject(data.job) ? data.job : null);
  const structured = jobOf(result);
  if (Array.isArray(structured?.jobs)) return listView(structured.jobs);
  if (!structured || typeof structured.job !== "string") return result.failed ? failureView(result) : finishedView();
  const titleOf = (data) => inLanguage(data.title ?? words(String(structured.name ?? "")));
  let place = jobView(structured, result.data, titleOf(result.data));
  if (canCallTools() && (structured.status === "running" || structured.status === "paused")) {
    repeat(() => readJob(structured.job), (fresh) => {
      const job = jobOf(fresh);
      if (job?.job !== structured.job) throw new Error("unreadable");
      call.result = fresh;
      const next = jobView(job, fresh.data, titleOf(fresh.data));
      place.replaceWith(next);
      place = next;
      return job.status !== "running" && job.status !== "paused";
    }, () => place.append(notFollowed()));
  }
  return place;
});
