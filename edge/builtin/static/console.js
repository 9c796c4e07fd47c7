// The console: asks for the state of the server each second or two while it is looked at, and gives orders.

import { Charts, duration, say } from "./console_charts.js";
import { Preview } from "./console_preview.js";
import { byId, nameOfStream, setText, showAudience, showDetail } from "./console_view.js";
import { showPlayers, showServers, showStreams } from "./console_view.js";

const POLL_MS = 1500;
// A server that is not there is asked less often.
const POLL_GONE_MS = 3000;
const ANSWER_MS = 8000;
const SAID_MS = 6000;
const MAX_PLAYERS = 100;

const page = byId("console");
const charts = new Charts();
const preview = new Preview(page.dataset);

let data = null;
let chosen = null;
let traffic = null;
let timer = null;
let isAsking = false;
let saidTimer = null;

function sayNow(text) {
  clearTimeout(saidTimer);
  byId("said").textContent = text;
  saidTimer = setTimeout(() => { byId("said").textContent = ""; }, SAID_MS);
}

function showTrouble(state, link, text) {
  page.dataset.state = state;
  setText("link-text", link);
  const trouble = byId("trouble");
  if (trouble.textContent !== text) {
    trouble.textContent = text;
  }
  trouble.hidden = text === "";
}

async function getJson(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
  if (!answer.ok) {
    throw { status: answer.status };
  }
  return answer.json();
}

// How things stand between the last two answers, in the fields of a sample; null before the second.
function liveSample(next) {
  const before = traffic;
  traffic = next.totals;
  const passedMs = before === null ? 0 : traffic.uptime_ms - before.uptime_ms;
  if (passedMs <= 0) {
    return null;
  }
  const rate = (name) => Math.max(0, ((traffic[name] - before[name]) * 8000) / passedMs);
  return {
    at_s: Math.floor(Date.now() / 1000),
    stream_count: next.stream_count,
    player_count: next.player_count,
    received_bps: rate("received_bytes"),
    sent_bps: rate("sent_bytes"),
    cpu_pct: (100 * (traffic.cpu_ms - before.cpu_ms)) / passedMs,
    loop_lag_ms: next.loop_lag_ms,
  };
}

function showNow(next, live) {
  const origin = next.proxy_to ? ` of ${next.proxy_to}` : "";
  // Seconds would change all the time.
  const up = next.uptime_s < 60 ? "less than a minute" : duration(next.uptime_s - (next.uptime_s % 60));
  setText("server", `edge ${next.version}, ${next.role}${origin}, up ${up}`);
  setText("now-streams", String(next.live_count));
  setText("now-players", String(next.player_count));
  setText("now-lag", say("lag", next.loop_lag_ms));
  if (live !== null) {
    setText("now-in", say("in", live.received_bps));
    setText("now-out", say("out", live.sent_bps));
    setText("now-cpu", say("cpu", live.cpu_pct));
  }
}

async function showChosen() {
  const stream = chosen === null ? undefined : data.streams.find((each) => nameOfStream(each) === chosen);
  if (stream === undefined) {
    if (chosen !== null) {
      sayNow("The stream has ended.");
    }
    closeDetail();
    return;
  }
  showDetail(stream);
  preview.show({ kind: stream.preview_kind, source: stream.preview_source });
  const found = await getJson(`/players/${stream.key.split("/").map(encodeURIComponent).join("/")}?format=json`);
  if (chosen === nameOfStream(stream)) {
    const players = found.players.filter((player) => player.service === stream.service);
    showPlayers(players.slice(0, MAX_PLAYERS), stream.players, kick);
  }
}

function closeDetail() {
  chosen = null;
  byId("detail").hidden = true;
  page.classList.remove("is-open");
  preview.close();
}

function choose(name) {
  if (chosen === name) {
    return;
  }
  chosen = name;
  byId("detail").hidden = false;
  page.classList.add("is-open");
  byId("player-rows").replaceChildren();
  showStreams(data, chosen, choose);
  showChosen().catch(() => {});
  const { top } = byId("detail").getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) {
    byId("detail").scrollIntoView();
  }
}

function show(next) {
  data = next;
  const live = liveSample(next);
  showNow(next, live);
  charts.add(next.samples, live);
  showStreams(next, chosen, choose);
  showAudience(next.audience);
  showServers(next);
  const reasons = next.is_draining ? ["the server is being stopped"] : next.not_ready_because;
  showTrouble("live", "Live", reasons.length > 0 ? `Not ready: ${reasons.join(", ")}.` : "");
}

async function poll() {
  if (isAsking || document.hidden) {
    return;
  }
  clearTimeout(timer);
  isAsking = true;
  let wait = POLL_MS;
  try {
    show(await getJson(`/console.json?since=${charts.newestS}`));
    await showChosen();
  } catch (problem) {
    wait = POLL_GONE_MS;
    traffic = null;
    if (problem.status === 403) {
      showTrouble("gone", "Refused", "This port shows no pages: ask the internal port.");
    } else if (problem.status !== undefined) {
      showTrouble("gone", "Refused", `The server answers ${problem.status}; its log tells more.`);
    } else {
      const text = "The server does not answer. It is asked again until it does; what is below is how things stood then.";
      showTrouble("gone", "Not connected", text);
    }
  } finally {
    isAsking = false;
    timer = setTimeout(poll, wait);
  }
}

// --- orders ---

// Resolves to whether the operator means it.
function ask(title, text, yes) {
  setText("ask-title", title);
  setText("ask-text", text);
  setText("ask-yes", yes);
  const dialog = byId("ask");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

async function order(path) {
  try {
    const answer = await fetch(path, { method: "POST", signal: AbortSignal.timeout(ANSWER_MS) });
    const text = await answer.text();
    const said = answer.headers.get("Content-Type").startsWith("application/json") ? JSON.parse(text).text : text.trim();
    sayNow(answer.ok || answer.status === 404 ? said : `Refused: ${said}`);
  } catch {
    sayNow("The server does not answer: nothing was done, or nobody knows.");
  }
  poll();
}

async function kick(player) {
  const text = "It is told that it was kicked, and may connect again.";
  if (await ask(`Kick ${player.peer}?`, text, "Kick")) {
    await order(`/api/kick?connection=${player.connection}`);
  }
}

async function endChosen() {
  const stream = data.streams.find((each) => nameOfStream(each) === chosen);
  if (stream === undefined) {
    return;
  }
  const whoPlays = stream.players === 1 ? "1 player is" : `${stream.players} players are`;
  const isPulled = data.role === "edge" && !stream.is_forwarded;
  const text = isPulled
    ? `${whoPlays} told that the broadcast is over, and may come again. It ends here, and goes on elsewhere.`
    : `Its publisher is disconnected and ${whoPlays} told that the broadcast is over. Both may come again.`;
  if (await ask(`End ${stream.key}?`, text, "End it")) {
    const service = stream.service ? `&service=${encodeURIComponent(stream.service)}` : "";
    await order(`/api/end?key=${encodeURIComponent(stream.key)}${service}`);
  }
}

async function copy(button) {
  const source = byId(button.dataset.copies);
  let isCopied = true;
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Without TLS there is no clipboard, but there is the old way.
    getSelection().selectAllChildren(source);
    isCopied = document.execCommand("copy");
  }
  setText("copied", isCopied ? `Copied: ${source.textContent}` : "It is marked: copy it by hand.");
}

for (const button of document.querySelectorAll("button[data-copies]")) {
  button.addEventListener("click", () => copy(button));
}
byId("close-detail").addEventListener("click", closeDetail);
byId("end-stream").addEventListener("click", endChosen);
document.addEventListener("visibilitychange", poll);
poll();
