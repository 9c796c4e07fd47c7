// The page of variables: a search that shows as one types, values that renew themselves, and series that are drawn.

const PERIODS = [["30 days", 30], ["24 hours", 24], ["60 minutes", 60], ["60 seconds", 60]];
const RENEW_MS = 1000;

const list = document.getElementById("list");
const words = document.getElementById("words");
const said = document.getElementById("said");
const open = new Map();
let asked = 0;
let timer = 0;

/** The address of the list for what is searched for. */
function listUrl() {
  const text = words.value.trim();
  const isPattern = /[*$;,]/.test(text) || location.pathname !== "/vars" && text === words.defaultValue;
  if (text && isPattern) return `/vars/${encodeURIComponent(text)}?dataonly&format=html`;
  return `/vars?dataonly&format=html&search=${encodeURIComponent(text)}`;
}

/** Draw 30 days to 60 seconds beside each other, each with the same scale. */
function draw(canvas, data) {
  const ratio = devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  const context = canvas.getContext("2d");
  const colours = getComputedStyle(document.documentElement);
  const values = data.map((pair) => pair[1]);
  const most = Math.max(...values), least = Math.min(0, ...values);
  const span = most - least || 1;
  const left = (index) => index / (values.length - 1) * (canvas.width - 2) + 1;
  const top = (value) => canvas.height - 4 * ratio - (value - least) / span * (canvas.height - 8 * ratio);
  context.lineWidth = ratio;
  context.font = `${11 * ratio}px sans-serif`;
  let begin = 0;
  for (const [label, length] of PERIODS) {
    context.strokeStyle = colours.getPropertyValue("--line");
    context.beginPath();
    context.moveTo(left(begin), 0);
    context.lineTo(left(begin), canvas.height);
    context.stroke();
    context.fillStyle = colours.getPropertyValue("--soft");
    context.fillText(label, left(begin) + 4 * ratio, 12 * ratio);
    context.strokeStyle = colours.getPropertyValue("--mark");
    context.beginPath();
    for (let index = begin; index < begin + length; index += 1) {
      if (index === begin) context.moveTo(left(index), top(values[index]));
      else context.lineTo(left(index), top(values[index]));
    }
    context.stroke();
    begin += length;
  }
  return `${least} to ${most}`;
}

/** Fetch and draw one series that is open. */
async function renewSeries(url, figure) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status}`);
  const series = await answer.json();
  const range = draw(figure.firstChild, series.data);
  figure.lastChild.textContent = `${range}: 30 days, 24 hours, 60 minutes and 60 seconds, the newest at the right`;
}

/** Show or hide the series of a row. */
function toggle(row) {
  const url = row.dataset.series;
  const button = row.querySelector("button");
  if (open.has(url)) {
    open.get(url).remove();
    open.delete(url);
    button.setAttribute("aria-expanded", "false");
    return;
  }
  const figure = document.createElement("figure");
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `How ${button.textContent} was`);
  figure.append(canvas, document.createElement("figcaption"));
  row.append(figure);
  open.set(url, figure);
  button.setAttribute("aria-expanded", "true");
  renewSeries(url, figure).catch(() => { figure.lastChild.textContent = "no history"; });
}

/** Put the newest values in place, and leave open what is open. */
async function renew() {
  asked += 1;
  const number = asked;
  const answer = await fetch(listUrl(), { headers: { Accept: "text/html" } });
  const body = answer.headers.get("Content-Type").startsWith("text/html") ? await answer.text() : "";
  if (number !== asked) return;
  const fresh = new DOMParser().parseFromString(body, "text/html");
  for (const row of fresh.querySelectorAll("[data-series]")) {
    const figure = open.get(row.dataset.series);
    if (figure) {
      row.querySelector("button").setAttribute("aria-expanded", "true");
      row.append(figure);
    }
  }
  const focused = document.activeElement?.closest("[data-series]")?.dataset.series;
  list.replaceChildren(...fresh.body.childNodes);
  for (const [url, figure] of [...open]) {
    if (!figure.isConnected) open.delete(url);
    else renewSeries(url, figure).catch(() => {});
  }
  if (focused) list.querySelector(`[data-series="${CSS.escape(focused)}"] button`)?.focus();
  said.textContent = answer.ok ? "" : `${answer.status}`;
}

/** Renew once a second while somebody looks. */
async function keepRenewing() {
  clearTimeout(timer);
  if (!document.hidden) {
    try {
      await renew();
    } catch {
      said.textContent = "The server does not answer.";
    }
  }
  timer = setTimeout(keepRenewing, RENEW_MS);
}

list.addEventListener("click", (event) => {
  const row = event.target.closest("button")?.closest("[data-series]");
  if (row) toggle(row);
});
words.addEventListener("input", () => { renew().catch(() => {}); });
if (list.dataset.expanded === "1") for (const row of list.querySelectorAll("[data-series]")) toggle(row);
timer = setTimeout(keepRenewing, RENEW_MS);
