// Live pages, countdowns, notifications and keyboard shortcuts. Every page works without this script.
"use strict";
(() => {
  const body = document.body;
  const texts = body.dataset;
  const stored = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const store = (name, value) => { try { localStorage.setItem(name, value); } catch { /* private windows */ } };
  // The page that answers a refused form goes by the address at which it can be requested again.
  if (texts.address) history.replaceState(null, "", texts.address);
  const announce = (text) => { document.getElementById("announcement").textContent = text; };

  // -- countdowns: the server's clock counts, not this computer's ---------------------------------------------------

  const loadedAt = Date.now();
  function showCountdowns() {
    for (const each of document.querySelectorAll("[data-left]")) {
      each.dataset.end ??= String(Date.now() + Number(each.dataset.left) * 1000);
      const left = Math.max(0, Math.ceil((Number(each.dataset.end) - Date.now()) / 1000));
      const time = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
      each.textContent = each.dataset.text.replace("{time}", time);
      each.classList.toggle("soon", left <= 180);
      if (left === 0 && !each.dataset.over && Date.now() - loadedAt > 1500) {
        each.dataset.over = "1";
        refresh();
      }
    }
  }

  // -- live parts: replaced by those of the page as it is now -------------------------------------------------------

  let refreshing = false;
  let again = false;
  async function refresh() {
    if (refreshing) { again = true; return; }
    refreshing = true;
    try {
      do {
        again = false;
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        if (answer.redirected) { showSignedOut(); return; }
        if (!answer.ok) return;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of document.querySelectorAll("[data-live]")) replacePart(part, page.getElementById(part.id));
        showCountdowns();
      } while (again);
    } catch { /* the connection is lost: the next event comes when it is back */ } finally { refreshing = false; }
  }

  function replacePart(part, fresh) {
    if (fresh === null) return;
    // What a person is typing stays, unless the form itself is gone.
    const typing = part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
    const same = part.dataset.state !== undefined && part.dataset.state === fresh.dataset.state;
    part.dataset.version = fresh.dataset.version;
    if (same || (typing && part.dataset.state === undefined)) return;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    part.replaceWith(document.adoptNode(fresh));
    if (focused) (document.getElementById(focused) ?? document.getElementById("content")).focus();
    if (fresh.dataset.said) announce(fresh.dataset.said);
  }

  const sign = document.getElementById("live-sign");
  function showSign(live) {
    sign.hidden = false;
    sign.classList.toggle("lost", !live);
    sign.textContent = live ? sign.dataset.liveText : sign.dataset.lostText;
  }
  function onState(state) {
    showSign(true);
    const count = state.waiting ? `(${state.waiting}) ` : "";
    document.title = count + document.title.replace(/^\(\d+\) /, "");
    for (const badge of document.querySelectorAll("[data-count]")) {
      badge.textContent = state.waiting || "";
      badge.hidden = !state.waiting;
    }
    const old = [...document.querySelectorAll("[data-live]")];
    if (old.some((part) => part.dataset.version !== state[part.dataset.live])) refresh();
  }

  // -- the stream: one for all tabs. The tab that has the lock listens and tells the others ---------------------------

  const others = "BroadcastChannel" in window ? new BroadcastChannel("saasus-console") : null;
  let latest = null;
  if (others) {
    others.onmessage = ({ data }) => {
      if (data === "hello") { if (latest) others.postMessage(latest); } else if (data === "lost") showSign(false); else onState(data);
    };
  }

  // Resolves when another tab may listen: to false if this page has nothing to listen to any more.
  function listen() {
    return new Promise((release) => {
      const source = new EventSource(`${texts.base}/events?at=${Date.now()}`);
      const lost = () => { latest = null; showSign(false); others?.postMessage("lost"); };
      const signedOut = () => { showSignedOut(); release(false); };
      source.addEventListener("state", ({ data }) => {
        latest = JSON.parse(data);
        onState(latest);
        notify(latest).catch(() => { /* the browser shows none */ });
        others?.postMessage(latest);
      });
      source.addEventListener("end", ({ data }) => {
        source.close();
        lost();
        if (data === "session") signedOut(); else setTimeout(release, 60_000, true);
      });
      source.onerror = async () => {
        lost();
        if (source.readyState !== EventSource.CLOSED) return;
        // The browser does not tell the status: a page tells whether the session has ended, or the server has no place.
        if (await hasSession()) setTimeout(release, 30_000, true); else signedOut();
      };
    });
  }

  async function hasSession() {
    try {
      return (await fetch(`${texts.base}/session`, { redirect: "manual" })).type !== "opaqueredirect";
    } catch { return true; /* the connection is lost: the next attempt tells */ }
  }

  async function follow() {
    let more = true;
    while (more) more = await (navigator.locks ? navigator.locks.request("saasus-console", listen) : listen());
  }

  function showSignedOut() {
    const note = document.getElementById("signed-out");
    if (!note.hidden) return;
    note.hidden = false;
    announce(note.textContent);
    closeNotifications(() => true).catch(() => { /* none are shown */ });
  }

  // -- notifications of this computer, shown by a service worker: a click works after this page is gone ---------------

  const button = document.getElementById("notify");
  const worker = `${texts.base}/notifications.js`;
  const GREETING = "on";
  const mayNotify = () => "Notification" in window && Notification.permission === "granted" && stored("notify") === "1";
  const registration = () => navigator.serviceWorker.getRegistration(worker);

  async function notify({ pending, waiting }) {
    const codes = pending.map((each) => each.code);
    // What any tab has seen: after a pause, the next stream, tab or page goes on from there.
    const known = JSON.parse(stored("known") ?? "[]");
    store("known", JSON.stringify([...new Set([...codes, ...known])].slice(0, 100)));
    if (!mayNotify()) return;
    const shower = await registration();
    if (!shower) return;
    // An approval whose page is open in this tab needs no notification.
    const added = pending.filter(({ code }) => !known.includes(code) && !location.pathname.endsWith(`/${code}`));
    // The first one replaces the greeting, which belongs to no approval. First close, then show: Chromium forgets a
    // notification that it has just accepted when the list of them is read before it is on the screen.
    const ended = (tag) => (tag === GREETING ? added.length > 0 : !codes.includes(tag));
    if (waiting === codes.length) await closeNotifications(ended);
    for (const { code, headline } of added) await show(shower, texts.notice, headline, code, `/approvals/${code}`);
  }

  function show(shower, title, body, tag, path) {
    return shower.showNotification(title, { body, tag, lang: document.documentElement.lang, data: texts.base + path });
  }

  async function closeNotifications(ended) {
    const shower = "serviceWorker" in navigator ? await registration() : undefined;
    for (const each of (await shower?.getNotifications()) ?? []) if (ended(each.tag)) each.close();
  }

  function activated(shower) {
    const starting = shower.active ? null : (shower.installing ?? shower.waiting);
    if (starting === null) return shower;
    return new Promise((done) => {
      starting.addEventListener("statechange", () => { if (starting.state === "activated") done(shower); });
    });
  }

  function showButton() {
    if (!button || !("Notification" in window && "serviceWorker" in navigator)) return;
    button.hidden = false;
    button.setAttribute("aria-pressed", String(mayNotify()));
    button.disabled = Notification.permission === "denied";
    if (button.disabled) button.textContent = button.dataset.denied;
  }
  button?.addEventListener("click", async () => {
    const granted = !mayNotify() && (await Notification.requestPermission()) === "granted";
    store("notify", granted ? "1" : "0");
    showButton();
    // The person sees at once whether this computer shows notifications.
    if (granted) await show(await activated(await navigator.serviceWorker.register(worker)), document.title, button.dataset.on, GREETING, "");
  });

  // -- keyboard shortcuts, which a person can turn off --------------------------------------------------------------

  const dialog = document.getElementById("shortcuts");
  const toggle = document.getElementById("shortcuts-on");
  const focusOn = (id) => { document.getElementById(id)?.focus(); };
  function move(step) {
    const links = [...document.querySelectorAll("[data-row]")];
    const at = links.indexOf(document.activeElement);
    links[Math.min(Math.max(at + step, 0), links.length - 1)]?.focus();
  }
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    a: () => focusOn("name"),
    r: () => focusOn("reason"),
    "/": () => document.querySelector("input[type=search]")?.focus(),
    "?": () => dialog.showModal(),
  };
  const places = Object.fromEntries([...document.querySelectorAll("a[data-key]")].map((link) => [link.dataset.key, link.href]));
  let going = 0;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, dialog");
    if (!typing && (event.ctrlKey || event.metaKey) && event.key === "k" && stored("shortcuts") !== "0") {
      event.preventDefault();
      openMenu();
      return;
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (stored("shortcuts") === "0" && event.key !== "?") return;
    const place = Date.now() - going < 1500 ? places[event.key] : undefined;
    const act = place !== undefined ? () => { location.href = place; } : keys[event.key];
    going = event.key === "g" ? Date.now() : 0;
    if (!act) return;
    event.preventDefault();
    act();
  });

  // -- the menu: a page, a pending approval or a tool by words, which the server finds as on its own pages ---------------

  const menu = document.getElementById("menu");
  const words = document.getElementById("menu-words");
  const found = document.getElementById("menu-found");
  let asked = 0;
  async function find(path, text, selector, kind) {
    try {
      const answer = await fetch(`${texts.base}${path}?q=${encodeURIComponent(text)}`);
      if (!answer.ok || answer.redirected) return [];
      const links = new DOMParser().parseFromString(await answer.text(), "text/html").querySelectorAll(`main ${selector}`);
      return [...links].map((link) => ({ href: link.getAttribute("href"), name: link.dataset.pending ?? link.textContent, kind }));
    } catch { return []; /* the connection is lost: the pages are still there */ }
  }
  const folded = (text) => text.normalize("NFKC").toLowerCase();
  function showFound(links, searching = false) {
    found.replaceChildren(...links.map(({ href, name, kind }) => {
      const [row, link, note] = ["li", "a", "span"].map((tag) => document.createElement(tag));
      link.href = href;
      note.textContent = kind;
      link.append(name, note);
      row.append(link);
      return row;
    }));
    const count = menu.dataset.found.replace("{count}", links.length);
    document.getElementById("menu-count").textContent = searching ? menu.dataset.searching : count;
  }
  async function fillMenu() {
    const mine = ++asked;
    const text = words.value.trim();
    const wanted = folded(text).split(/\s+/);
    const isNamed = ({ name, href }) => wanted.every((word) => folded(`${name} ${href.split("?")[0].split("/").pop()}`).includes(word));
    const pages = [...document.querySelectorAll("a[data-key]")].map((link) => ({ href: link.pathname, name: link.dataset.name, kind: "" }));
    const matching = pages.filter(isNamed);
    showFound(matching, true);
    const pending = find("", text, "[data-pending]", menu.dataset.approval);
    const tools = text ? find("/tools", text, "[data-row]", menu.dataset.tool) : [];
    const more = (await Promise.all([pending, tools])).flat();
    if (mine !== asked) return;
    // What is called so comes alone. Only without it does the menu list what is described so.
    const called = [...matching, ...more.filter(isNamed)];
    showFound((called.length ? called : more).slice(0, 16));
  }
  function openMenu() {
    words.value = "";
    menu.showModal();
    fillMenu();
  }
  function moveInMenu(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const stops = [words, ...found.querySelectorAll("a")];
    event.preventDefault();
    stops[Math.min(Math.max(stops.indexOf(document.activeElement) + step, 0), stops.length - 1)].focus();
  }

  if (dialog) {
    const menuOpener = document.getElementById("menu-open");
    menuOpener.hidden = false;
    menuOpener.addEventListener("click", openMenu);
    menu.addEventListener("keydown", moveInMenu);
    let pause = 0;
    words.addEventListener("input", () => { clearTimeout(pause); pause = setTimeout(fillMenu, 150); });
    document.getElementById("menu-form").addEventListener("submit", (event) => {
      event.preventDefault();
      found.querySelector("a")?.click();
    });
    const opener = document.getElementById("shortcuts-open");
    opener.hidden = false;
    opener.addEventListener("click", () => dialog.showModal());
    toggle.checked = stored("shortcuts") !== "0";
    toggle.addEventListener("change", () => store("shortcuts", toggle.checked ? "1" : "0"));
    showButton();
    others?.postMessage("hello");
    follow();
  }
  showCountdowns();
  setInterval(showCountdowns, 1000);
})();
