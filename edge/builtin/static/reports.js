// What a viewer lives through, told to the server: how long the start took, when the player ran dry, frames dropped.
//
// Each report is a line of CMCD events (CTA-5004-B) and says all there was since the beginning, so that one that is
// lost makes no difference. hls.js reports with its requests besides, under the same session.
//
// What a stall is the engine says where it judges that itself, as hls.js does; elsewhere each time that the element
// waits in the middle of playing is one.

const EVENTS_PATH = "/-/cmcd";
const INTERVAL_MS = 5000;
const NAMES_OF_VHOST = ["vhost", "wshost", "wsHost", "domain"];

const quoted = (text) => `"${text.replace(/[\\"]/g, "\\$&")}"`;

function newSessionId() {
  const words = crypto.getRandomValues(new Uint32Array(4));
  return [...words].map((word) => word.toString(16).padStart(8, "0")).join("");
}

// What the server calls a stream: its path without what says how it is played.
function contentIdOf(url) {
  const path = url.pathname.replace(/^\/+/, "").replace(/(\.classic|\.ll)?\.m3u8$|\.flv$|\.ts$/, "");
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

// Where the events of a stream at "url" go, with what names its vhost.
function targetOf(url) {
  const kept = url.search.slice(1).split("&").filter((part) => NAMES_OF_VHOST.includes(part.split("=")[0]));
  return kept.length > 0 ? `${EVENTS_PATH}?${kept.join("&")}` : EVENTS_PATH;
}

export class Reports {
  // For one attempt to play "address" in "video"; "kind" as in engines.js. buffer() gives seconds, or null.
  constructor(video, address, kind, buffer) {
    const url = new URL(address.replace(/^ws/, "http"));
    this.sessionId = newSessionId();
    this.contentId = contentIdOf(url);
    this.counts = { start: null, stalls: 0, stalled: 0, dropped: 0 };
    this._target = targetOf(url);
    this._isWanted = url.host === location.host; // nobody else has asked for reports
    this._video = video;
    this._buffer = buffer;
    this._format = kind === "hls" ? "h" : "o";
    this._state = "s";
    this._began = performance.now();
    this._stalledSince = null;
    this._isToldStalls = false;
    this._lastDropped = 0;
    this._sequence = 0;
    this._stop = new AbortController();
    const { signal } = this._stop;
    for (const name of ["waiting", "playing", "pause", "seeking", "timeupdate"]) {
      video.addEventListener(name, () => this._hear(name), { signal });
    }
    window.addEventListener("pagehide", () => this.stop(), { signal });
    this._timer = setInterval(() => this._send("t"), INTERVAL_MS);
  }

  get isWanted() {
    return this._isWanted;
  }

  // The engine tells of stalls from now on, by stall() and resume().
  leaveStallsToEngine() {
    this._isToldStalls = true;
  }

  // Playback stands still since then, by performance.now().
  stall(since) {
    if (this._stop.signal.aborted) {
      return;
    }
    this._endStall();
    this.counts.stalls += 1;
    this._stalledSince = since;
    this._state = "r";
    this._send("ps");
  }

  // It goes on, or nobody waits for that any more.
  resume() {
    this._endStall();
    if (this._state === "r") {
      this._enter("p");
    }
  }

  // The viewer leaves, or plays in another way.
  stop() {
    if (this._stop.signal.aborted) {
      return;
    }
    this._stop.abort();
    clearInterval(this._timer);
    this._endStall();
    this._state = "q";
    if (this._isWanted && this.counts.start !== null) {
      navigator.sendBeacon(this._target, new Blob([this._line("ps")], { type: "application/cmcd" }));
    }
  }

  _hear(event) {
    const video = this._video;
    const isPlaying = event === "playing" || (event === "timeupdate" && !video.paused && !video.seeking && video.readyState > 2);
    if (isPlaying && this._state !== "p") {
      if (this.counts.start === null) {
        this.counts.start = performance.now() - this._began;
      }
      this._endStall();
      this._enter("p");
    } else if (event === "waiting" && this._state === "p" && !video.seeking && !this._isToldStalls) {
      this.stall(performance.now());
    } else if (event === "pause" && !video.ended && this.counts.start !== null) {
      this._endStall();
      this._enter("a");
    } else if (event === "seeking" && this._state === "p") {
      this._enter("k");
    }
  }

  _endStall() {
    if (this._stalledSince !== null) {
      this.counts.stalled += performance.now() - this._stalledSince;
      this._stalledSince = null;
    }
  }

  _enter(state) {
    if (state !== this._state) {
      this._state = state;
      this._send("ps");
    }
  }

  _line(event) {
    const { counts } = this;
    const quality = this._video.getVideoPlaybackQuality ? this._video.getVideoPlaybackQuality() : null;
    if (quality !== null) {
      const now = quality.droppedVideoFrames;
      counts.dropped += now >= this._lastDropped ? now - this._lastDropped : now; // a new source counts from 0
      this._lastDropped = now;
    }
    const stalling = this._stalledSince === null ? 0 : performance.now() - this._stalledSince;
    const buffer = this._buffer();
    const items = {
      bl: buffer === null ? null : `(${Math.round(buffer * 10) * 100})`,
      bsa: `(${counts.stalls})`,
      bsda: `(${Math.round(counts.stalled + stalling)})`,
      cid: quoted(this.contentId),
      dfa: quality === null ? null : counts.dropped,
      e: event,
      msd: counts.start === null ? null : Math.round(counts.start),
      sf: this._format,
      sid: quoted(this.sessionId),
      sn: this._sequence++,
      sta: this._state,
      ts: Date.now(),
      v: 2,
    };
    const said = Object.entries(items).filter(([, value]) => value !== null);
    return `${said.map(([key, value]) => `${key}=${value}`).join(",")}\n`;
  }

  async _send(event) {
    if (!this._isWanted || this.counts.start === null) {
      return; // of what never began there is nothing to tell
    }
    const headers = { "Content-Type": "application/cmcd" };
    try {
      const answer = await fetch(this._target, { method: "POST", headers, body: this._line(event), keepalive: true });
      this._isWanted &&= answer.status !== 410;
    } catch {
      // The next one says all that this one did.
    }
  }
}
