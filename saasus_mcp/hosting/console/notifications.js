// Opens the page of an approval after a click on its notification, whether the tab that showed the notification is still there or not.
"use strict";
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(new URL(event.notification.data, self.location.origin)));
});

// No tab leaves its page: a person can be typing there.
async function open(url) {
  const tabs = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const shown = tabs.find((tab) => new URL(tab.url).pathname === url.pathname);
  return shown ? shown.focus() : self.clients.openWindow(url);
}
