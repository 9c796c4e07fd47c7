// Charts of the last hour: each an area and a curve in an SVG, with the highest value below it in words.

const HOUR_S = 3600;
// A server that has just begun would have a line at the right end only.
const LEAST_S = 300;
const WIDTH = 360;
const HEIGHT = 56;
// Between two samples further apart than this nobody looked: there is a gap.
const GAP_S = 25;
const SVG = "http://www.w3.org/2000/svg";

export function duration(seconds) {
  if (seconds === null || seconds === undefined) {
    return "-";
  }
  let rest = Math.floor(seconds);
  const parts = [];
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0 || (unit === "s" && parts.length === 0)) {
      parts.push(`${count} ${unit}`);
    }
  }
  return parts.slice(0, 2).join(" ");
}

export function bitRate(bps) {
  return bps >= 1e6 ? `${(bps / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bps / 1000)} kbit/s`;
}

export function bytes(count) {
  if (count < 1e6) {
    return `${Math.round(count / 1000)} kB`;
  }
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(2)} GB`;
}

// Per chart: how a sample's value is found and said, and the least that fills the height.
const CHARTS = {
  streams: { of: (sample) => sample.stream_count, say: String, least: 4 },
  players: { of: (sample) => sample.player_count, say: String, least: 4 },
  in: { of: (sample) => sample.received_bps, say: bitRate, least: 1e5 },
  out: { of: (sample) => sample.sent_bps, say: bitRate, least: 1e5 },
  cpu: { of: (sample) => sample.cpu_pct, say: (value) => `${value.toFixed(value < 10 ? 1 : 0)} %`, least: 10 },
  lag: { of: (sample) => sample.loop_lag_ms, say: (value) => `${Math.round(value)} ms`, least: 20 },
};

export const say = (name, value) => CHARTS[name].say(value);

function part(svg, kind, className) {
  let found = svg.querySelector(`.${className}`);
  if (found === null) {
    found = document.createElementNS(SVG, kind);
    found.setAttribute("class", className);
    svg.append(found);
  }
  return found;
}

// The samples in runs without a gap, each point as x and y.
function runsOf(samples, of, nowS, spanS, top) {
  const runs = [];
  let lastS = -Infinity;
  for (const sample of samples) {
    if (sample.at_s - lastS > GAP_S) {
      runs.push([]);
    }
    lastS = sample.at_s;
    const x = WIDTH * (1 - (nowS - sample.at_s) / spanS);
    runs[runs.length - 1].push([x, HEIGHT - 1 - (HEIGHT - 6) * (of(sample) / top)]);
  }
  return runs;
}

const point = ([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`;

export class Charts {
  constructor() {
    this._samples = [];
    this._live = null;
    this._pointed = null;
    for (const svg of document.querySelectorAll("[data-chart]")) {
      svg.addEventListener("pointermove", (event) => this._point(svg, event));
      svg.addEventListener("pointerleave", () => { this._pointed = null; this.draw(); });
    }
  }

  // When the newest that is known was taken.
  get newestS() {
    return this._samples.length > 0 ? this._samples[this._samples.length - 1].at_s : 0;
  }

  // New samples, and how things stand now: the same fields, or null where that is not known yet.
  add(samples, live) {
    const oldest = Date.now() / 1000 - HOUR_S;
    const known = this.newestS;
    this._samples.push(...samples.filter((sample) => sample.at_s > known));
    while (this._samples.length > 0 && this._samples[0].at_s < oldest) {
      this._samples.shift();
    }
    this._live = live;
    this.draw();
  }

  draw() {
    const shown = this._live === null ? this._samples : [...this._samples, this._live];
    for (const svg of document.querySelectorAll("[data-chart]")) {
      this._drawOne(svg, CHARTS[svg.dataset.chart], shown);
    }
  }

  // How long ago the left end is, in whole minutes.
  get _spanS() {
    const oldestS = this._samples.length > 0 ? this._samples[0].at_s : Infinity;
    const age = Math.ceil((Date.now() / 1000 - oldestS) / 60) * 60;
    return Math.min(HOUR_S, Math.max(LEAST_S, age));
  }

  _drawOne(svg, chart, shown) {
    const nowS = Date.now() / 1000;
    const spanS = this._spanS;
    const most = Math.max(0, ...shown.map(chart.of));
    const runs = runsOf(shown, chart.of, nowS, spanS, Math.max(most, chart.least));
    const curves = runs.map((run) => `M${run.map(point).join("L")}`);
    const areas = runs.map((run) => (
      `M${run[0][0].toFixed(1)} ${HEIGHT}L${run.map(point).join("L")}L${run[run.length - 1][0].toFixed(1)} ${HEIGHT}Z`
    ));
    part(svg, "path", "area").setAttribute("d", areas.join(""));
    part(svg, "path", "curve").setAttribute("d", curves.join(""));
    const span = spanS === HOUR_S ? "1 h" : `${spanS / 60} min`;
    const text = shown.length > 0 ? `most ${chart.say(most)} in ${span}` : `over ${span}`;
    const label = document.getElementById(`title-${svg.dataset.chart}`).textContent;
    svg.setAttribute("aria-label", `${label}: ${text}`);
    this._drawPointed(svg, chart, shown, { nowS, spanS, text });
  }

  _drawPointed(svg, chart, shown, { nowS, spanS, text }) {
    const range = document.getElementById(`range-${svg.dataset.chart}`);
    const line = part(svg, "path", "at");
    const isHere = this._pointed !== null && this._pointed.svg === svg && shown.length > 0;
    if (!isHere) {
      line.setAttribute("d", "");
      range.textContent = text;
      return;
    }
    const wantedS = nowS - spanS * (1 - this._pointed.share);
    const near = shown.reduce((best, each) => (
      Math.abs(each.at_s - wantedS) < Math.abs(best.at_s - wantedS) ? each : best
    ));
    const x = WIDTH * (1 - (nowS - near.at_s) / spanS);
    line.setAttribute("d", `M${x.toFixed(1)} 0V${HEIGHT}`);
    const time = new Date(near.at_s * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    range.textContent = `${time}: ${chart.say(chart.of(near))}`;
  }

  _point(svg, event) {
    const box = svg.getBoundingClientRect();
    this._pointed = { svg, share: Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) };
    this.draw();
  }
}
