// The state of an approval. It is decided elsewhere: nothing here approves or rejects.

const KINDS = { pending: "wait", approved: "good", used: "good", rejected: "bad", stale: "bad" };

function approvalView(approval) {
  // What is learned stays with the result, which is drawn again in another language.
  const state = approval, place = el("section", { class: "approval" });
  const [headline, ...lines] = inLanguageLines(approval.question);

  function countdown() {
    const left = state.expires_at - Date.now() / 1000;
    if (left <= 0) return el("p", { class: "time" }, t("apps.expired"));
    const share = Math.min(1, left / Math.max(1, state.expires_at - state.requested_at));
    const bar = el("span", { class: left < 180 ? "fill over" : "fill" });
    bar.style.width = `${100 * share}%`;
    return el("div", { class: "time" }, el("span", { role: "timer" }, t("apps.time_left", { time: formatDuration(left) })),
      el("span", { class: "track", "aria-hidden": "true" }, bar));
  }

  function isPending() { return state.status === "pending" && state.expires_at > Date.now() / 1000; }

  function draw() {
    const status = state.status === "pending" && !isPending() ? "stale" : String(state.status);
    // Only the server knows whether an approval was used in time.
    const said = status === state.status ? oneOf("apps.approval_now.", status) : t("apps.expired");
    const command = isPending() && approval.command ? el("p", {}, t("apps.in_terminal"), " ", el("code", {}, shown(approval.command))) : null;
    fillParts({
      top: head(t("apps.approval"), badge(KINDS[status] ?? "", oneOf("apps.approval_status.", status)), t("apps.code", { code: shown(state.code, 40) })),
      asked: headline ? el("div", { class: "asked" }, el("p", { class: "headline" }, bdi(headline)),
        el("ul", {}, lines.map((line) => el("li", { class: /^[⚠¥]/.test(line) ? "warn" : null }, bdi(line))))) : null,
      now: el("p", { role: "status" }, said, state.two_person && isPending() ? " " + t("apps.two_person") : ""),
      comment: state.comment ? facts([[t("apps.comment"), bdi(shown(state.comment))]]) : null,
      time: isPending() ? countdown() : null,
      where: isPending() && approval.url ? link(String(approval.url), t("apps.open_console")) : null,
      command,
      note: isPending() ? el("p", { class: "soft small" }, t("apps.only_shows")) : null,
    });
  }

  const parts = {};
  /** Replace only what changed, so that a focused link stays and a reader is not told the same twice. */
  function fillParts(fresh) {
    for (const [name, part] of Object.entries(fresh)) {
      const old = parts[name], next = part ?? el("span", { hidden: true });
      if (old?.isEqualNode(next)) continue;
      if (old) old.replaceWith(next); else place.append(next);
      parts[name] = next;
    }
  }

  function tick() {
    draw();
    if (isPending()) later(1000, tick);
  }

  const read = async () => JSON.parse(await readResource(`saasus://approvals/${state.code}`));
  function use(fresh) {
    if (isObject(fresh) && fresh.code === state.code) Object.assign(state, fresh);
    draw();
    return state.status !== "pending" && state.status !== "approved";
  }

  draw();
  later(1000, tick);
  if (canReadResources() && isPending()) repeat(read, use, () => place.append(notFollowed()));
  return place;
}

function inLanguageLines(question) {
  const text = isObject(question) ? question[language] ?? question.en : question;
  return typeof text === "string" ? text.slice(0, 8000).split("\n").filter((line) => line.trim()).slice(0, 20).map((line) => shown(line)) : [];
}
