// What plays: mpegts.js for FLV, hls.js for HLS, and the browser itself where it has no MSE.
//
// An engine is started with new and ended with stop(). It calls report(problem) at most once, when it cannot go on;
// words.js says what problems there are. delay() is how far behind the live edge it shows, in seconds, or null;
// livePosition() is where whoever joins now would begin, on the element's clock, or null. With the reports of a viewer
// (reports.js) hls.js tells of itself under the same session, and of its stalls.

import { codecsIn } from "./words.js";

const loaded = new Map();

// Run a script once; rejects with a problem when it cannot be had, and may be tried again then.
function script(url) {
  if (!loaded.has(url)) {
    loaded.set(url, new Promise((resolve, reject) => {
      const element = document.createElement("script");
      element.src = url;
      element.onload = resolve;
      element.onerror = () => {
        loaded.delete(url);
        element.remove();
        reject({ kind: "script" });
      };
      document.head.append(element);
    }));
  }
  return loaded.get(url);
}

const hasMse = () => Boolean(window.MediaSource || window.ManagedMediaSource);

function bufferedEnd(video) {
  const ranges = video.buffered;
  return ranges.length > 0 ? ranges.end(ranges.length - 1) : null;
}

function behind(video) {
  const end = bufferedEnd(video);
  return end === null ? null : Math.max(0, end - video.currentTime);
}

// What a GET of url is answered, of which no more than the head is taken when it goes well.
export async function ask(url, signal) {
  const stop = new AbortController();
  signal.addEventListener("abort", () => stop.abort());
  try {
    const answer = await fetch(url, { signal: stop.signal, cache: "no-store" });
    if (answer.ok) {
      return { kind: "ok" };
    }
    const text = (await answer.text()).split("\n")[0].slice(0, 200);
    return { kind: "status", status: answer.status, text };
  } catch {
    return { kind: "network" };
  } finally {
    stop.abort();
  }
}

class Flv {
  constructor(video, url, report) {
    const mpegts = window.mpegts;
    for (const level of ["enableVerbose", "enableDebug", "enableInfo"]) {
      mpegts.LoggingControl[level] = false;
    }
    this._video = video;
    this._player = mpegts.createPlayer({ type: "flv", isLive: true, url }, {
      enableWorker: false,
      enableStashBuffer: false,
      lazyLoad: false,
      // It catches up by playing a little faster, and leaps from further behind.
      liveSync: true,
      liveSyncMaxLatency: 0.75,
      liveSyncTargetLatency: 0.5,
      liveSyncPlaybackRate: 1.1,
      liveBufferLatencyChasing: true,
      liveBufferLatencyMaxLatency: 1.5,
      liveBufferLatencyMinRemain: 0.5,
      autoCleanupSourceBuffer: true,
      autoCleanupMaxBackwardDuration: 30,
      autoCleanupMinBackwardDuration: 10,
    });
    this._player.on(mpegts.Events.ERROR, (type, detail, info) => report(this._problem(type, detail, info || {})));
    this._player.on(mpegts.Events.LOADING_COMPLETE, () => report({ kind: "ended" }));
    this._player.attachMediaElement(video);
    this._player.load();
  }

  _problem(type, detail, info) {
    const { ErrorTypes, ErrorDetails } = window.mpegts;
    if (type === ErrorTypes.NETWORK_ERROR) {
      return detail === ErrorDetails.NETWORK_STATUS_CODE_INVALID
        ? { kind: "status", status: info.code, text: "" }
        : { kind: "network", text: info.msg };
    }
    const media = this._player.mediaInfo || {};
    const codecs = [...codecsIn(info.msg), ...codecsIn(media.mimeType)];
    return { kind: "codec", codecs: [...new Set(codecs)], text: info.msg || detail };
  }

  delay() {
    return behind(this._video);
  }

  livePosition() {
    const end = bufferedEnd(this._video);
    return end === null ? null : end - 0.5;
  }

  stop() {
    this._player.destroy();
  }
}

// How far from the end of a playlist hls.js is to stay, and from where it leaps there: between the two it plays faster.
// Not for its constructor: what that is given holds in spite of what a playlist itself says (PART-HOLD-BACK).
function keepClose(config, path) {
  if (path.endsWith(".ll.m3u8")) {
    config.liveMaxLatencyDuration = 4;
  } else {
    const isClassic = path.endsWith(".classic.m3u8");
    config.liveSyncDurationCount = isClassic ? 2 : 3;
    config.liveMaxLatencyDurationCount = isClassic ? 5 : 8;
  }
}

// What hls.js says with its requests (CMCD). In the query it would write a query anew that may be signed as it stands,
// so that there headers say it.
function cmcd(url, reports) {
  if (reports === null || !reports.isWanted) {
    return {};
  }
  const includeKeys = ["bl", "br", "bs", "cid", "d", "mtp", "ot", "sf", "sid", "st", "su"];
  const useHeaders = new URL(url, location.href).search !== "";
  return { cmcd: { sessionId: reports.sessionId, contentId: reports.contentId, useHeaders, includeKeys } };
}

class Hls {
  constructor(video, url, report, reports = null) {
    const hls = new window.Hls({
      ...cmcd(url, reports),
      enableWorker: false,
      lowLatencyMode: true,
      maxLiveSyncPlaybackRate: 1.5,
      // Seconds further from the end after each time that the buffer was empty.
      liveSyncOnStallIncrease: 0.5,
      backBufferLength: 20,
      maxBufferLength: 20,
      // Of the first answer the page itself says what is wrong, and tries again.
      manifestLoadPolicy: {
        default: { maxTimeToFirstByteMs: 15000, maxLoadTimeMs: 20000, timeoutRetry: null, errorRetry: null },
      },
    });
    keepClose(hls.config, new URL(url, location.href).pathname);
    this._video = video;
    this._hls = hls;
    this._isMended = false;
    this._codecs = [];
    this._leads = [];
    hls.on(window.Hls.Events.FRAG_BUFFERED, (_, { frag }) => {
      this._leads = [...this._leads.slice(-4), frag.end - performance.now() / 1000];
    });
    hls.on(window.Hls.Events.BUFFER_CODECS, (_, tracks) => {
      this._codecs = Object.values(tracks).map((track) => track.codec || track.levelCodec).filter(Boolean);
    });
    if (reports !== null) {
      this._tellStalls(reports);
    }
    hls.on(window.Hls.Events.ERROR, (_, data) => {
      if (!data.fatal || this._mend(data)) {
        return;
      }
      report(this._problem(data));
    });
    this._onEnded = () => report({ kind: "ended" });
    video.addEventListener("ended", this._onEnded);
    hls.loadSource(url);
    hls.attachMedia(video);
  }

  // Its own judgement of what a stall is holds: an element may wait for a moment while the picture moves on.
  _tellStalls(reports) {
    const { Events, ErrorDetails } = window.Hls;
    reports.leaveStallsToEngine();
    this._hls.on(Events.ERROR, (_, { details, stalled }) => {
      if (details === ErrorDetails.BUFFER_STALLED_ERROR) {
        reports.stall(stalled ? stalled.start : performance.now());
      }
    });
    this._hls.on(Events.STALL_RESOLVED, () => reports.resume());
  }

  // A decoder that stumbled once is given a new start.
  _mend(data) {
    if (data.type !== window.Hls.ErrorTypes.MEDIA_ERROR || this._isMended || /codec/i.test(data.details)) {
      return false;
    }
    this._isMended = true;
    this._hls.recoverMediaError();
    return true;
  }

  _problem(data) {
    const message = (data.error && data.error.message) || data.reason || data.details;
    if (/codec/i.test(data.details)) {
      return { kind: "codec", codecs: [...codecsIn(data.mimeType), ...codecsIn(message), ...this._codecs], text: message };
    }
    if (data.type === window.Hls.ErrorTypes.NETWORK_ERROR) {
      const status = (data.response && data.response.code) || 0;
      if (status >= 400) {
        const text = String((data.networkDetails && data.networkDetails.responseText) || "").split("\n")[0];
        return { kind: "status", status, text: text.slice(0, 200) };
      }
      return { kind: /TimeOut$/.test(data.details) ? "silent" : "network", text: message };
    }
    return { kind: "media", text: message };
  }

  delay() {
    const details = this._hls.latestLevelDetails;
    if (details && details.m3u8.includes("#WRITE-SEQUENCE:") && this._leads.length > 0) {
      // A playlist that names what is not there yet: the live edge is where the newest segment ended as it came.
      return Math.max(0, Math.max(...this._leads) + performance.now() / 1000 - this._video.currentTime);
    }
    const latency = this._hls.latency;
    return latency > 0 ? latency : behind(this._video);
  }

  livePosition() {
    return this._hls.liveSyncPosition;
  }

  stop() {
    this._video.removeEventListener("ended", this._onEnded);
    this._hls.destroy();
  }
}

class Native {
  constructor(video, url, report) {
    this._video = video;
    this._stop = new AbortController();
    const { signal } = this._stop;
    video.addEventListener("ended", () => report({ kind: "ended" }), { signal });
    video.addEventListener("error", async () => {
      const answer = await ask(url, signal);
      if (!signal.aborted) {
        report(answer.kind === "ok" ? { kind: "media", text: video.error ? video.error.message : "" } : answer);
      }
    }, { signal });
    video.src = url;
  }

  delay() {
    const ranges = this._video.seekable;
    return ranges.length > 0 ? Math.max(0, ranges.end(ranges.length - 1) - this._video.currentTime) : null;
  }

  livePosition() {
    return null; // the browser does that
  }

  stop() {
    this._stop.abort();
    this._video.removeAttribute("src");
    this._video.load();
  }
}

// Load what an output of this kind ("flv", "ws", "hls") needs; returns what makes its engine, or throws a problem.
export async function engineOf(kind, scripts) {
  if (kind !== "hls") {
    if (!hasMse()) {
      throw { kind: "unsupported" };
    }
    await script(scripts.mpegts);
    return Flv;
  }
  if (!hasMse()) {
    return Native;
  }
  await script(scripts.hls);
  return window.Hls.isSupported() ? Hls : Native;
}

// What is shown of the picture: seconds, counts, and the size.
export function measure(video, engine) {
  const quality = video.getVideoPlaybackQuality ? video.getVideoPlaybackQuality() : null;
  let buffer = null;
  for (let i = 0; i < video.buffered.length; i++) {
    if (video.buffered.start(i) <= video.currentTime + 0.1 && video.currentTime <= video.buffered.end(i)) {
      buffer = video.buffered.end(i) - video.currentTime;
    }
  }
  return {
    delay: engine ? engine.delay() : null,
    buffer,
    decoded: quality ? quality.totalVideoFrames : null,
    dropped: quality ? quality.droppedVideoFrames : null,
    width: video.videoWidth,
    height: video.videoHeight,
  };
}
