// The player page: one output at a time, begun again by itself, with the reason when it does not play.

import { ask, engineOf, measure } from "./engines.js";
import { Reports } from "./reports.js";
import { isToldByServer, waitMs, why } from "./words.js";

const TICK_MS = 250;
// Without a new picture for so long it is said, and then begun again: servers wait up to 10 s for a publisher.
const STALL_SAID_MS = 3000;
const STALL_MS = 20000;
// So long it must have played for the next failure to count as the first.
const STEADY_MS = 5000;
// What comes meanwhile is kept for whoever pauses, but not for ever.
const LONG_PAUSE_MS = 60000;
// A viewer who paused is brought back to what is live if it has gone on by more.
const LEFT_BEHIND_S = 3;

const byId = (id) => document.getElementById(id);
const page = byId("player");
const video = byId("video");
const radios = [...document.querySelectorAll("input[name=output]")];

// One attempt to play: what plays, and since when it does. Replaced as a whole by the next.
let run = null;
let failures = 0;
let retryAt = 0;
let retryNow = null;

function chosen() {
  return radios.find((radio) => radio.checked) || null;
}

// The address of an output, as this page reaches it.
function addressOf(radio) {
  const url = new URL(radio.dataset.src, location.href);
  if (radio.dataset.kind === "ws") {
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  }
  return url.href;
}

function show(state, reason, advice = "") {
  page.dataset.state = state;
  for (const [id, text] of [["status", reason], ["veil-reason", reason], ["advice", advice], ["veil-advice", advice]]) {
    if (byId(id).textContent !== text) {
      byId(id).textContent = text;
    }
  }
}

function stop() {
  clearTimeout(retryNow);
  retryAt = 0;
  const old = run;
  run = null;
  if (old !== null) {
    old.stop.abort();
    if (old.reports !== null) {
      old.reports.stop();
    }
    if (old.engine !== null) {
      old.engine.stop();
    }
  }
}

// Nothing plays until somebody wants it.
function rest(reason) {
  show("idle", reason);
  byId("retry").textContent = "Play";
}

async function begin() {
  stop();
  byId("retry").textContent = "Try now";
  const radio = chosen();
  const now = performance.now();
  const mine = {
    radio, engine: null, reports: null, stop: new AbortController(), problem: null,
    progressAt: now, movedAt: now, playingAt: null, time: -1,
  };
  run = mine;
  page.dataset.reason = "";
  show("starting", `Connecting by ${radio.dataset.label} …`);
  try {
    const Engine = await engineOf(radio.dataset.kind, page.dataset);
    if (run !== mine) {
      return;
    }
    // A player that reports is still in the middle of something: it is ended after that.
    const address = addressOf(radio);
    mine.reports = new Reports(video, address, radio.dataset.kind, () => measure(video, null).buffer);
    mine.engine = new Engine(video, address, (problem) => setTimeout(() => end(mine, problem)), mine.reports);
  } catch (problem) {
    end(mine, problem.kind ? problem : { kind: "media", text: String(problem) });
    return;
  }
  play(mine);
}

// Begin with sound, without if the browser wants that, and else when the viewer presses a button.
async function play(mine) {
  try {
    await video.play();
    return;
  } catch (error) {
    if (run !== mine || error.name !== "NotAllowedError") {
      return; // the engine says what is wrong
    }
  }
  if (!video.muted) {
    video.muted = true;
    play(mine);
    return;
  }
  show("blocked", "The browser waits for you to press Play.", "It lets no page play by itself.");
}

// A run is over: say why, and begin again later.
async function end(mine, problem) {
  if (run !== mine || mine.problem !== null) {
    return;
  }
  mine.problem = problem;
  const played = mine.playingAt !== null;
  if (mine.radio.dataset.kind === "ws" && problem.kind === "network") {
    // A WebSocket does not tell why it was refused; the same path does.
    show("starting", "The WebSocket was refused; asking why …");
    const answer = await ask(new URL(mine.radio.dataset.src, location.href), mine.stop.signal);
    if (run !== mine) {
      return;
    }
    problem = answer.kind === "ok" && failures > 0 ? problem : answer;
    if (answer.kind === "ok" && failures === 0) {
      failures = 1;
      begin();
      return;
    }
  }
  if (problem.kind === "status" && !problem.text && isToldByServer(problem.status)) {
    // mpegts.js reads no more than the status.
    const answer = await ask(addressOf(mine.radio), mine.stop.signal);
    if (run !== mine) {
      return;
    }
    problem = answer.kind === "status" ? answer : problem;
  }
  if (played && performance.now() - mine.playingAt > STEADY_MS) {
    failures = 0;
  }
  stop();
  const [reason, advice] = why(problem);
  page.dataset.reason = problem.kind === "status" ? `status-${problem.status}` : problem.kind;
  show("failed", reason, advice);
  const wait = waitMs(problem, failures);
  failures += 1;
  retryAt = performance.now() + wait;
  retryNow = setTimeout(begin, wait);
  tick();
}

function watch(now) {
  if (run === null || run.problem !== null) {
    return;
  }
  if (video.currentTime !== run.time || video.paused || document.hidden) {
    const isMoving = run.time >= 0 && video.currentTime > run.time && video.readyState >= 2;
    const still = now - run.movedAt;
    run.time = video.currentTime;
    run.progressAt = now;
    if (isMoving || document.hidden) {
      run.movedAt = now;
    }
    if (isMoving && !video.paused) {
      run.playingAt ??= now;
      if (now - run.playingAt > STEADY_MS) {
        failures = 0;
      }
      show("playing", `Playing by ${run.radio.dataset.label}.`);
    } else if (video.paused && run.playingAt !== null) {
      if (still > LONG_PAUSE_MS) {
        stop();
        rest("Paused.");
      } else {
        show("paused", "Paused.");
      }
    }
    return;
  }
  const still = now - run.progressAt;
  if (still > STALL_MS) {
    end(run, { kind: "silent" });
  } else if (still > STALL_SAID_MS) {
    const text = run.playingAt === null ? "The server has not sent a picture yet." : "The picture stands still.";
    show(run.playingAt === null ? "starting" : "stalled", text, "It goes on as soon as something comes.");
  }
}

const seconds = (value) => (value === null || !Number.isFinite(value) ? "–" : `${value.toFixed(2)} s`);
const count = (value) => (value === null ? "–" : String(value));

function tick() {
  const now = performance.now();
  watch(now);
  const isShown = run !== null && run.playingAt !== null;
  const facts = measure(video, run && run.engine);
  const texts = {
    delay: isShown ? seconds(facts.delay) : "–",
    buffer: isShown ? seconds(facts.buffer) : "–",
    decoded: count(facts.decoded),
    dropped: count(facts.dropped),
    size: isShown && facts.width > 0 ? `${facts.width} × ${facts.height}` : "–",
    kind: chosen().dataset.label,
    again: retryAt > 0 ? `Trying again in ${Math.max(1, Math.ceil((retryAt - now) / 1000))} s.` : "",
  };
  for (const [id, text] of Object.entries(texts)) {
    if (byId(id).textContent !== text) {
      byId(id).textContent = text;
    }
  }
  byId("unmute").hidden = !(isShown && video.muted && page.dataset.muted !== "1");
  byId("retry").hidden = page.dataset.state === "playing" || page.dataset.state === "paused";
}

function restart() {
  failures = 0;
  begin();
}

async function copy(button) {
  const text = byId(button.dataset.copies).textContent;
  let isCopied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS there is no clipboard, but there is the old way.
    const selection = getSelection();
    selection.selectAllChildren(byId(button.dataset.copies));
    isCopied = document.execCommand("copy");
  }
  byId("copied").textContent = isCopied ? `Copied ${text}` : "It is marked: copy it by hand.";
  button.textContent = isCopied ? "Copied" : "Marked";
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

// Where the page of what somebody typed is: app/stream, or any URL of it.
function pageOf(text) {
  let path = text.trim();
  let query = "";
  if (/^[a-z]+:\/\//i.test(path)) {
    const url = new URL(path.replace(/^[a-z]+:/i, (scheme) => (/^https?:$/i.test(scheme) ? scheme : "http:")));
    if (/^https?:/i.test(path) && url.host !== location.host && url.pathname.endsWith(".m3u8")) {
      return `/play_hls?fileUrl=${encodeURIComponent(url.href)}`;
    }
    [path, query] = [url.pathname, url.search];
  } else {
    const at = path.indexOf("?");
    [path, query] = at < 0 ? [path, ""] : [path.slice(0, at), path.slice(at)];
    path = encodeURI(path).replaceAll("#", "%23");
  }
  path = path.replace(/^\/+/, "").replace(/(\.classic|\.ll)?\.m3u8$|\.flv$|\.ts$/, "");
  return `/play/${path}${query}`;
}

byId("other").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = byId("other-name");
  if (field.value.trim() === "") {
    field.focus();
    return;
  }
  try {
    location.href = pageOf(field.value);
  } catch {
    byId("other-fault").textContent = "That is neither a name nor a URL of a stream.";
    field.setAttribute("aria-invalid", "true");
  }
});

for (const button of document.querySelectorAll("button[data-copies]")) {
  button.addEventListener("click", () => copy(button));
}

function setUp() {
  for (const radio of radios) {
    radio.addEventListener("change", () => {
      // The rest stays as it was written: a signature may be of it.
      const others = location.search.slice(1).split("&").filter((part) => part && !part.startsWith("output="));
      history.replaceState(null, "", `${location.pathname}?${[...others, `output=${radio.value}`].join("&")}`);
      restart();
    });
  }
  byId("retry").addEventListener("click", restart);
  byId("unmute").addEventListener("click", () => {
    video.muted = false;
    video.play().catch(() => {});
    video.focus();
  });
  video.addEventListener("play", () => {
    const live = run !== null && run.playingAt !== null ? run.engine.livePosition() : null;
    if (live !== null && live - video.currentTime > LEFT_BEHIND_S) {
      video.currentTime = live;
    }
  });
  video.addEventListener("error", () => {
    if (run !== null && run.engine !== null && video.error && video.error.code === MediaError.MEDIA_ERR_DECODE) {
      end(run, { kind: "media", text: video.error.message });
    }
  });
  window.addEventListener("online", () => { if (retryAt > 0) restart(); });
  video.muted = page.dataset.muted === "1";
  if (page.dataset.autoplay === "1") {
    begin();
  } else {
    rest("Ready.");
  }
  setInterval(tick, TICK_MS);
}

if (radios.length > 0) {
  setUp();
}
