// The preview: one stream, muted, played by the engines of the player page, begun again by itself.

import { engineOf } from "./engines.js";
import { waitMs, why } from "./words.js";

const TICK_MS = 500;
// Without a new picture for so long it is said, and then begun again.
const STALL_SAID_MS = 3000;
const STALL_MS = 20000;

export class Preview {
  // "scripts": where the players are, by name.
  constructor(scripts) {
    this._scripts = scripts;
    this._video = document.getElementById("preview");
    this._stage = document.getElementById("stage");
    this._run = null;
    this._failures = 0;
    this._retry = null;
    this._wanted = null;
    setInterval(() => this._watch(), TICK_MS);
  }

  // Play another stream, or the same one still: { kind, source }.
  show(wanted) {
    const before = this._wanted;
    if (before !== null && before.kind === wanted.kind && before.source === wanted.source) {
      return;
    }
    this.close();
    this._wanted = wanted;
    this._failures = 0;
    this._begin();
  }

  close() {
    this._stop();
    this._wanted = null;
    this._say("idle", "");
  }

  _say(state, text) {
    this._stage.dataset.state = state;
    const line = state === "playing" ? "Playing, muted." : text;
    for (const id of ["veil", "preview-status"]) {
      const element = document.getElementById(id);
      if (element.textContent !== line) {
        element.textContent = line;
      }
    }
  }

  _stop() {
    clearTimeout(this._retry);
    const old = this._run;
    this._run = null;
    if (old !== null && old.engine !== null) {
      old.engine.stop();
    }
  }

  async _begin() {
    this._stop();
    if (this._wanted.kind === "") {
      this._say("idle", "No output that a browser plays is switched on.");
      return;
    }
    const run = { engine: null, time: -1, movedAt: performance.now(), hasPlayed: false };
    this._run = run;
    this._say("starting", "Connecting …");
    this._video.muted = true;
    try {
      const Engine = await engineOf(this._wanted.kind, this._scripts);
      if (this._run !== run) {
        return;
      }
      const url = new URL(this._wanted.source, location.href).href;
      run.engine = new Engine(this._video, url, (problem) => setTimeout(() => this._end(run, problem)));
      await this._video.play().catch(() => {});
    } catch (problem) {
      this._end(run, problem.kind ? problem : { kind: "media", text: String(problem) });
    }
  }

  _end(run, problem) {
    if (this._run !== run) {
      return;
    }
    this._stop();
    const [reason, advice] = why(problem);
    this._say("failed", `${reason} ${advice}`.trim());
    if (run.hasPlayed) {
      this._failures = 0;
    }
    this._retry = setTimeout(() => this._begin(), waitMs(problem, this._failures));
    this._failures += 1;
  }

  _watch() {
    const run = this._run;
    if (run === null) {
      return;
    }
    const now = performance.now();
    if (this._video.currentTime !== run.time || document.hidden) {
      run.hasPlayed = run.hasPlayed || (run.time >= 0 && this._video.currentTime > run.time);
      run.time = this._video.currentTime;
      run.movedAt = now;
      if (run.hasPlayed) {
        this._say("playing", "");
      }
    } else if (now - run.movedAt > STALL_MS) {
      this._end(run, { kind: "silent" });
    } else if (now - run.movedAt > STALL_SAID_MS) {
      this._say("stalled", run.hasPlayed ? "The picture stands still." : "The server has not sent a picture yet.");
    }
  }
}
