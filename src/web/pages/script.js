// Small additions to pages that are complete without them: times in the reader's zone, buttons that copy a command, and a
// refresh once a minute.
"use strict";

(() => {
  const REFRESH_MS = 60_000;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  let isEdited = false;

  function addLocalTimes(root) {
    if (!zone || zone === "UTC" || zone === "Etc/UTC") return;
    const format = new Intl.DateTimeFormat(undefined, {
      month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
    });
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime()) || time.nextElementSibling?.className === "local") continue;
      const local = document.createElement("span");
      local.className = "local";
      local.textContent = ` (${format.format(at)})`;
      time.after(local);
    }
  }

  function addCopyButtons(root) {
    if (!navigator.clipboard) return;
    for (const block of root.querySelectorAll("pre.command")) {
      const command = block.textContent;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.setAttribute("aria-label", `Copy: ${command}`);
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(command);
          button.textContent = "Copied";
        } catch {
          button.textContent = "Not copied";
        }
        setTimeout(() => { button.textContent = "Copy"; }, 2_000);
      });
      block.after(button);
    }
  }

  function decorate() {
    addLocalTimes(document);
    addCopyButtons(document.querySelector("main"));
  }

  function isInUse() {
    const main = document.querySelector("main");
    const selected = document.getSelection();
    return isEdited
      || (document.activeElement !== main && main.contains(document.activeElement))
      || (selected !== null && !selected.isCollapsed);
  }

  function tell(text) {
    document.getElementById("refresh").textContent = text;
  }

  async function refresh() {
    if (document.visibilityState !== "visible") return;
    if (isInUse()) {
      tell("This page is not refreshed while you use it.");
      return;
    }
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.redirected) {
        location.reload();
        return;
      }
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (isInUse()) return;
      for (const details of document.querySelectorAll("main details[id]")) {
        const same = page.getElementById(details.id);
        if (same) same.open = details.open;
      }
      for (const part of ["main", "footer"]) {
        document.querySelector(part).replaceChildren(...page.querySelector(part).childNodes);
      }
      document.title = page.title;
      document.body.classList.remove("old");
      decorate();
    } catch (error) {
      document.body.classList.add("old");
      tell(`This page is old: it could not be refreshed (${error.message}).`);
    }
  }

  document.addEventListener("input", () => { isEdited = true; });
  document.addEventListener("visibilitychange", refresh);
  decorate();
  setInterval(refresh, REFRESH_MS);
})();
