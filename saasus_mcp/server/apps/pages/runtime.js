// The dialect of MCP between an app and its client, texts, and elements. Values become text, never markup.

const PROTOCOL = "2026-01-26";
const MAX_TEXT = 500, ANSWER_MS = 60_000;
const INVISIBLE = /[^\P{C}\n\t]|[\u2028\u2029\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]/gu;
const HOST_COLORS = { "--color-background-primary": "--ground", "--color-text-primary": "--ink" }, HOST_FONT = "--font-sans";

const host = { context: {}, capabilities: {} };
const waiting = new Map();
let language = "en", lastId = 0, app = null;
const call = { args: {}, result: null, cancelled: false };

// -- texts ----------------------------------------------------------------------------------------------------------

/** Return a text with its parameters. `count` chooses between singular and plural; numbers are formatted. */
function t(key, params = {}) {
  let text = TEXTS[language][key] ?? key;
  if (Array.isArray(text)) text = text[params.count === 1 ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (_, name) =>
    typeof params[name] === "number" ? formatNumber(params[name]) : shown(params[name] ?? ""));
}

/** Return the text of one value of a closed set, or the value itself if the set does not have it. */
function oneOf(group, value) {
  return Object.hasOwn(TEXTS[language], group + value) ? t(group + value) : words(value);
}

/** Return foreign text without invisible characters, which could reorder or hide what is beside them, and bounded. */
function shown(value, most = MAX_TEXT) {
  const text = typeof value === "string" ? value : String(value ?? "");
  const cut = text.length > most ? text.slice(0, most) + "…" : text;
  return cut.replace(INVISIBLE, "\ufffd");
}

/** Return a text that is there in both languages, or in one. */
function inLanguage(text) {
  return isObject(text) ? shown(text[language] ?? text.en) : shown(text);
}

/** Return the name of a field as words. */
function words(name) {
  const text = shown(name, 80).replace(/_/g, " ").replace(/\b(id|url|uri|api|ip)\b/gi, (each) => each.toUpperCase());
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const locale = () => typeof host.context.locale === "string" ? host.context.locale : navigator.language;
const zone = () => typeof host.context.timeZone === "string" ? { timeZone: host.context.timeZone } : {};

const formats = new Map();
/** Return a format of numbers or times for the reader's locale, made once: to make one takes longer than to use it a hundred times. */
function format(kind, options) {
  const key = JSON.stringify([kind, options, host.context.locale, host.context.timeZone]);
  if (!formats.has(key)) {
    try { formats.set(key, new Intl[kind](locale(), options)); } catch { formats.set(key, new Intl[kind](language, { ...options, timeZone: options.timeZone === "UTC" ? "UTC" : undefined })); }
  }
  return formats.get(key);
}
const formatNumber = (value) => format("NumberFormat", { maximumFractionDigits: 6 }).format(value);
const formatPercent = (value) => format("NumberFormat", { style: "percent", maximumFractionDigits: 1 }).format(value);
const formatTime = (seconds) => format("DateTimeFormat", { dateStyle: "medium", timeStyle: "short", ...zone() }).format(seconds * 1000);
function formatDuration(seconds) {
  const whole = Math.max(0, Math.floor(seconds)), hours = Math.floor(whole / 3600);
  const rest = `${Math.floor(whole / 60) % 60}:${String(whole % 60).padStart(2, "0")}`;
  return hours ? `${hours}:${rest.padStart(5, "0")}` : rest;
}

// -- elements ---------------------------------------------------------------------------------------------------------

/** Return an element. Attributes are set as text, functions listen, and every child that is no node becomes text. */
function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}
function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}
function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, String(value));
  }
  element.append(...children.flat(9).filter((each) => each !== null && each !== undefined && each !== false));
  return element;
}
/** Return foreign text as an element of its own, which no direction of writing leaves. */
const bdi = (text) => el("bdi", {}, text);
const badge = (kind, text) => el("span", { class: `badge ${kind}` }, text);

function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function head(title, status, sub) {
  return el("header", { class: "head" }, el("div", {}, el("h1", {}, title), sub ? el("p", { class: "soft" }, sub) : null), status);
}

/** Return the title of the tool that was called: the server's in the reader's language, or the client's, which not every client tells. */
function callTitle(other = "SaaSus") {
  const tool = host.context.toolInfo?.tool, title = call.result?.data.title;
  return shown(title ? inLanguage(title) : tool?.title ?? tool?.annotations?.title ?? other, 100);
}

const OUTCOME_KINDS = { applied: "good", not_applied: "bad", unknown: "wait", partly: "wait" };

/** Show what went wrong and whether something was changed. Without a word from the server, that is unknown. */
function failureView(result) {
  const outcome = Object.hasOwn(OUTCOME_KINDS, result.applied) ? result.applied : "unknown";
  const told = isObject(result.data.failure) ? result.data.failure[language] ?? result.data.failure.en : null;
  const parts = Array.isArray(told) ? told.slice(0, 4).map((each) => shown(each, 1000)) : [shown(result.text, 2000)];
  return el("section", {}, head(outcome === "not_applied" ? t("apps.failed") : t("apps.no_answer"), badge(OUTCOME_KINDS[outcome], oneOf("apps.outcome.", outcome))),
    parts.filter(Boolean).map((each) => el("p", { class: "pre" }, bdi(each))));
}

/** Show in a line that a call succeeded. */
function finishedView() {
  return el("section", {}, head(t("apps.finished"), badge("good", t("apps.done_badge"))));
}

/** Show that a call was cancelled. One that can change something may have been sent before. */
function cancelledView() {
  const reads = host.context.toolInfo?.tool?.annotations?.readOnlyHint === true;
  return el("section", {}, head(callTitle(), null), el("p", { class: "soft", role: "status" }, t("apps.cancelled"), reads ? null : " " + t("apps.maybe_sent")));
}

// -- the client ---------------------------------------------------------------------------------------------------------

const send = (message) => window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
const notify = (method, params) => send({ method, params });

function request(method, params) {
  return new Promise((resolve, reject) => {
    const id = ++lastId;
    const timer = setTimeout(() => settle(id, { error: {} }), ANSWER_MS);
    waiting.set(id, { resolve, reject, timer });
    send({ id, method, params });
  });
}

function settle(id, message) {
  const asked = waiting.get(id);
  if (!asked) return;
  waiting.delete(id);
  clearTimeout(asked.timer);
  if (isObject(message.result)) asked.resolve(message.result);
  else asked.reject(new Error("refused"));
}

/** Return the answer of the only tool that apps may call. It reads. */
async function readJob(job) {
  return readResult(await request("tools/call", { name: "job_status", arguments: { job } }));
}

/** Return the text of a resource of the server. */
async function readResource(uri) {
  const { contents } = await request("resources/read", { uri });
  const text = Array.isArray(contents) ? contents[0]?.text : undefined;
  if (typeof text !== "string" || text.length > 16_000_000) throw new Error("unreadable");
  return text;
}

const canReadResources = () => isObject(host.capabilities.serverResources);
const canCallTools = () => isObject(host.capabilities.serverTools);

/** Return a link that the client opens. Only addresses of the web are opened, and the address is shown. */
function link(url, text) {
  const address = /^https:\/\//.test(url) || /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/]/.test(url) ? shown(url) : "";
  if (!address) return null;
  const open = () => request("ui/open-link", { url: address }).catch(() => {});
  return el("p", { class: "link" },
    isObject(host.capabilities.openLinks) ? el("button", { class: "main", type: "button", click: open }, text) : null,
    el("code", {}, address));
}

function readResult(result) {
  const content = Array.isArray(result.content) ? result.content : [];
  const meta = isObject(result._meta) ? result._meta["saasus.io/app"] : null;
  return {
    failed: result.isError === true,
    applied: isObject(result._meta) ? result._meta["saasus.io/applied"] : undefined,
    structured: isObject(result.structuredContent) ? result.structuredContent : null,
    data: isObject(meta) ? meta : {},
    text: content.filter((each) => each?.type === "text").map((each) => String(each.text))[0] ?? "",
  };
}

const NOTIFIED = {
  "ui/notifications/tool-input": (params) => { call.args = isObject(params.arguments) ? params.arguments : {}; },
  "ui/notifications/tool-result": (params) => { call.result = readResult(params); show(); },
  "ui/notifications/tool-cancelled": () => { call.cancelled = true; show(); },
  "ui/notifications/host-context-changed": (params) => {
    const before = language;
    Object.assign(host.context, params);
    applyContext();
    if (language !== before) show();
  },
};

window.addEventListener("message", ({ data, source }) => {
  if (source !== window.parent || !isObject(data) || data.jsonrpc !== "2.0") return;
  const params = isObject(data.params) ? data.params : {};
  if (typeof data.method !== "string") settle(data.id, data);
  else if (data.id === undefined) NOTIFIED[data.method]?.(params);
  else if (data.method === "ping" || data.method === "ui/resource-teardown") send({ id: data.id, result: {} });
  else send({ id: data.id, error: { code: -32601, message: "Method not found" } });
});

function applyContext() {
  const { theme, styles, containerDimensions: size, safeAreaInsets: insets } = host.context, root = document.documentElement;
  language = locale().toLowerCase().startsWith("ja") ? "ja" : "en";
  root.lang = language;
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  const given = isObject(styles?.variables) ? styles.variables : {};
  // A background without its text, or the other way round, could be unreadable.
  if (Object.keys(HOST_COLORS).every((name) => typeof given[name] === "string")) {
    for (const [name, own] of Object.entries(HOST_COLORS)) root.style.setProperty(own, given[name]);
  }
  if (typeof given[HOST_FONT] === "string") root.style.setProperty("--font", given[HOST_FONT]);
  for (const side of ["top", "right", "bottom", "left"]) {
    const inset = isObject(insets) ? Number(insets[side]) : 0;
    document.body.style.setProperty(`padding-${side}`, inset > 0 ? `${Math.min(inset, 200)}px` : "");
  }
  root.classList.toggle("fixed", isObject(size) && typeof size.height === "number");
}

// -- the life of an app ---------------------------------------------------------------------------------------------

const FIRST_POLL_MS = 2000, SLOWEST_POLL_MS = 10_000, MAX_FAILED_POLLS = 3;
const timers = new Set();
let shows = 0;
/** Do something after a while, unless another result is shown by then. */
function later(milliseconds, act) {
  const timer = setTimeout(() => { timers.delete(timer); act(); }, milliseconds);
  timers.add(timer);
}

/** Read and show something again and again while the page is visible, slower each time, until `use` returns true.

 * After three failures in a row, `giveUp` says so. What is read for a result that is no longer shown is dropped.
 */
function repeat(read, use, giveUp) {
  const mine = shows;
  let pause = FIRST_POLL_MS, failed = 0;
  async function turn() {
    if (document.visibilityState === "visible") {
      try {
        const fresh = await read();
        if (mine !== shows || use(fresh)) return;
        failed = 0;
      } catch { failed += 1; }
      if (mine !== shows) return;
      if (failed >= MAX_FAILED_POLLS) { giveUp(); return; }
    }
    pause = Math.min(pause * 1.25, SLOWEST_POLL_MS);
    later(pause, turn);
  }
  later(pause, turn);
}

const notFollowed = () => el("p", { class: "hint", role: "status" }, t("apps.not_followed"));

function show() {
  shows += 1;
  for (const timer of timers) clearTimeout(timer);
  timers.clear();
  const main = document.getElementById("app"), { result } = call;
  main.setAttribute("aria-busy", String(!result && !call.cancelled));
  let view;
  if (!result && call.cancelled) view = cancelledView();
  else if (!result) view = el("section", {}, head(callTitle(), null), el("p", { class: "soft", role: "status" }, t("apps.loading")));
  else view = app(result);
  main.replaceChildren(view);
  document.title = main.querySelector("h1")?.textContent ?? "SaaSus";
}

function reportSize() {
  const body = document.body.getBoundingClientRect();
  notify("ui/notifications/size-changed", { width: Math.ceil(body.width), height: Math.ceil(body.height) });
}

/** Start an app. `view` returns an element for each result. */
async function start(view) {
  app = view;
  applyContext();
  show();
  const answer = await request("ui/initialize", {
    protocolVersion: PROTOCOL,
    appInfo: { name: "saasus", version: "1" },
    appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
  });
  host.context = isObject(answer.hostContext) ? { ...answer.hostContext } : {};
  host.capabilities = isObject(answer.hostCapabilities) ? answer.hostCapabilities : {};
  applyContext();
  show();
  notify("ui/notifications/initialized", {});
  new ResizeObserver(reportSize).observe(document.body);
}
