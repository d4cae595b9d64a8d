// Uploads with their progress, reports that stay fresh, and a button that copies a key.

const DONE = ["done", "failed"];
const PAUSE = 1500; // milliseconds between two looks at what becomes of an upload

const status = document.getElementById("status");

function say(text) {
  status.textContent = text;
}

function parsed(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

/** Look at a report until nothing more will change; `show` is given each state of it. */
async function follow(address, show) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    try {
      const response = await fetch(address, { headers: { Accept: "text/html" } });
      const report = parsed(await response.text()).getElementById("upload");
      if (!response.ok || !report) return; // signed out, say: the page itself tells
      show(report);
      if (DONE.includes(report.dataset.state)) {
        say(report.querySelector("[data-summary]").textContent.trim());
        return;
      }
    } catch {
      // The service is away for a moment; the next look may find it.
    }
  }
}

/** Send one file with the fields of a form; gives the request once it has ended. */
function send(form, file, onProgress) {
  const body = new FormData();
  for (const [name, value] of new FormData(form)) {
    if (name !== "file") body.append(name, value);
  }
  body.append("file", file); // last: the token must stand before it
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "text/html");
  request.upload.addEventListener("progress", onProgress);
  return new Promise((resolve) => {
    request.addEventListener("loadend", () => resolve(request));
    request.send(body);
  });
}

/** Put the form as the service gave it back in the place of the one here, with the chosen files. */
function replaceForm(form, fresh) {
  const files = form.elements.file.files;
  form.replaceWith(document.adoptNode(fresh));
  prepare(fresh);
  fresh.elements.file.files = files;
  fresh.querySelector("[aria-invalid]")?.focus();
}

/** Show the list of reports as it is now. */
async function renewReports(address) {
  const response = await fetch(address, { headers: { Accept: "text/html" } });
  const fresh = parsed(await response.text()).getElementById("report-list");
  if (fresh) document.getElementById("report-list").replaceWith(document.adoptNode(fresh));
}

function newLine(name) {
  const sent = document.getElementById("sent");
  sent.hidden = false;
  const line = sent.querySelector("template").content.cloneNode(true).firstElementChild;
  line.querySelector("[data-name]").textContent = name;
  sent.querySelector("ul").append(line);
  return line;
}

/** Send one file and show what becomes of it; whether the next one may follow. */
async function upload(form, file) {
  const line = newLine(file.name);
  const state = line.querySelector("[data-state]");
  const progress = line.querySelector("progress");
  const end = (text) => {
    progress.remove();
    state.textContent = text;
    say(`${file.name}: ${text}`);
    return false;
  };
  if (file.size > Number(form.dataset.largest)) return end(state.dataset.tooLarge);
  const request = await send(form, file, (event) => {
    progress.value = event.total ? (100 * event.loaded) / event.total : 0;
    if (event.loaded === event.total) state.textContent = state.dataset.whole;
  });
  const page = parsed(request.responseText);
  const report = page.getElementById("upload");
  if (!report) {
    const given = page.getElementById("upload-form");
    if (given) replaceForm(form, given);
    return end(given ? state.dataset.refused : state.dataset.failed);
  }
  progress.remove();
  const link = document.createElement("a");
  link.href = request.responseURL;
  link.textContent = file.name;
  line.querySelector("[data-name]").replaceChildren(link);
  const show = (found) => { state.textContent = found.querySelector("[data-summary]").textContent.trim(); };
  show(report);
  renewReports(form.action); // it is listed from now on, and its state once it has ended
  follow(request.responseURL, show).then(() => renewReports(form.action));
  return true;
}

function prepare(form) {
  const input = form.elements.file;
  input.multiple = true;
  form.querySelector("[data-several]").hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button:not([type=button])");
    if (button.disabled) return;
    button.disabled = true;
    let went = true;
    for (const file of [...input.files]) {
      went = went && await upload(form, file);
    }
    button.disabled = false;
    if (!went) return;
    input.value = "";
    form.elements.title.value = ""; // that of the next one is another
  });
}

const form = document.getElementById("upload-form");
if (form) prepare(form);

const report = document.getElementById("upload");
if (report && !DONE.includes(report.dataset.state)) {
  follow(location.href, (found) => {
    document.getElementById("upload").replaceWith(document.adoptNode(found));
  });
}

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
    button.textContent = button.dataset.copied;
    say(button.dataset.copied);
  });
}
