"use strict";
// Keeps the page as the agent is, without a reload: asks for it again every two seconds and changes
// what is different, so that a selection, an open list or the place on the page stay as they are.
(() => {
  const PAUSE_MS = 2000, PATIENCE_MS = 10000;
  let lastGood = Date.now();
  document.documentElement.classList.add("js");

  const isSame = (now, next) => now.nodeType === next.nodeType && now.nodeName === next.nodeName;

  function syncAttributes(now, next) {
    for (const { name, value } of Array.from(next.attributes)) {
      if (now.getAttribute(name) !== value) now.setAttribute(name, value);
    }
    for (const { name } of Array.from(now.attributes)) {
      if (!next.hasAttribute(name) && name !== "open") now.removeAttribute(name);
    }
  }

  function sync(now, next) {
    if (now.nodeType !== Node.ELEMENT_NODE) {
      if (now.nodeValue !== next.nodeValue) now.nodeValue = next.nodeValue;
      return;
    }
    syncAttributes(now, next);
    const old = Array.from(now.childNodes), fresh = Array.from(next.childNodes);
    fresh.forEach((child, i) => {
      if (i >= old.length) now.appendChild(document.importNode(child, true));
      else if (isSame(old[i], child)) sync(old[i], child);
      else now.replaceChild(document.importNode(child, true), old[i]);
    });
    for (const child of old.slice(fresh.length)) child.remove();
  }

  function show(text) {
    const next = new DOMParser().parseFromString(text, "text/html");
    const main = next.querySelector("main");
    if (!main) throw new Error("not our page");
    document.title = next.title;
    sync(document.querySelector("link[rel=icon]"), next.querySelector("link[rel=icon]"));
    sync(document.querySelector("main"), main);
  }

  function say(isGood) {
    const live = document.getElementById("live");
    if (!live) return;
    live.className = isGood ? "live" : "live lost";
    if (isGood) return;
    const seconds = Math.round((Date.now() - lastGood) / 1000);
    live.textContent = `the agent has not answered for ${seconds} s: what is below is old`;
  }

  async function refresh() {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, {
        cache: "no-store", headers: { Accept: "text/html" },
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      show(await answer.text());
      lastGood = Date.now();
      say(true);
    } catch (error) {
      say(false);
    }
  }

  async function run() {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      await refresh();
    }
  }
  document.addEventListener("visibilitychange", refresh);
  run();
})();
