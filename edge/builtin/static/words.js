// Why a stream does not play, in words for whoever watches.

const BY_STATUS = {
  400: ["This is no name of a stream.", "A name has an app and a stream, such as live/cam1."],
  401: ["This stream wants a user and a password.", "They are wrong, or missing."],
  403: ["This stream may not be played.", "The server refuses it; a token may be missing or too old."],
  404: ["Nobody publishes this stream now.", "It begins here by itself when a publisher comes."],
  415: ["This output cannot carry one of the stream's codecs.", "Choose another output."],
  429: ["The server looks at nothing from here for a while.", "Too many wrong credentials came from this address."],
  500: ["The server has a fault.", "Its log tells more."],
  502: ["The server reaches no upstream.", "This node fetches the stream from another one, which does not answer."],
  503: ["The server cannot give this now.", "It is full, is being stopped, or has nothing of the stream to show yet."],
  // What a node two hops away hears of a stream that nobody publishes, too: those on the way wait for it.
  504: ["Nothing of this stream comes.", "Nobody publishes it, or its publisher sends nothing. It begins here by itself."],
  508: ["The stream would come back to where it came from.", "Two nodes fetch it from each other."],
};

const CODECS = {
  avc1: "H.264", avc3: "H.264", hvc1: "H.265 (HEVC)", hev1: "H.265 (HEVC)", vvc1: "H.266 (VVC)", vvi1: "H.266 (VVC)",
  av01: "AV1", vp08: "VP8", vp09: "VP9", mp4a: "AAC", opus: "Opus", flac: "FLAC", mp3: "MP3",
  "ac-3": "AC-3", "ec-3": "E-AC-3",
};

// Waits of problems that are not tried again at once, and of those that trying does not mend.
const SLOW_MS = { 400: 30000, 401: 10000, 403: 10000, 429: 60000, 415: 30000, codec: 30000 };

export function codecName(codec) {
  const name = CODECS[codec.split(".")[0].toLowerCase()];
  return name ? `${name} (${codec})` : codec;
}

// Those of "codecs" that the browser has no decoder for.
export function lacking(codecs) {
  const source = window.ManagedMediaSource || window.MediaSource;
  return codecs.filter((codec) => !source || !source.isTypeSupported(`video/mp4; codecs="${codec}"`));
}

// The codecs that a message of a browser names, as in: type provided ('video/mp4;codecs=hvc1.1.6.L93.B0').
export function codecsIn(message) {
  const found = /codecs="?([^"')]+)/.exec(message || "");
  return found ? found[1].split(",").map((codec) => codec.trim()) : [];
}

// Whether the server knows better than we what is wrong.
export function isToldByServer(status) {
  return [401, 403, 415, 429, 503].includes(status) || !(status in BY_STATUS);
}

function ofCodec(problem) {
  const missing = lacking([...new Set(problem.codecs || [])]);
  if (missing.length > 0) {
    return [`This browser cannot decode ${missing.map(codecName).join(" and ")}.`, "Try another browser or output."];
  }
  return ["This browser, or its player, cannot decode the stream.", problem.text || ""];
}

// A sentence that says why, and one that says more or "".
export function why(problem) {
  switch (problem.kind) {
    case "status": {
      const [reason, advice] = BY_STATUS[problem.status] || [`The server answers ${problem.status}.`, ""];
      const isTold = problem.text && isToldByServer(problem.status);
      return [reason, isTold ? `The server says: ${problem.text}` : advice];
    }
    case "codec":
      return ofCodec(problem);
    case "ended":
      return ["The broadcast has ended.", "It begins here by itself when it goes on."];
    case "silent":
      return ["Nothing comes any more.", "The connection is there, but the stream stands still."];
    case "script":
      return ["The player could not be loaded.", "The server could not be reached, or shows no pages here."];
    case "unsupported":
      return ["This browser cannot play this output.", "It lacks Media Source Extensions: choose an output of HLS."];
    case "media":
      return ["The browser gave up decoding the stream.", problem.text || ""];
    default:
      return ["The server cannot be reached.", "Look whether the network, and the server, are up."];
  }
}

// How long to wait before the next attempt: doubled with each that fails, and never in step with other viewers.
export function waitMs(problem, failures) {
  const slow = SLOW_MS[problem.status] || SLOW_MS[problem.kind];
  const wait = slow || Math.min(5000, 500 * 2 ** Math.min(failures, 10));
  return wait * (0.8 + 0.4 * Math.random());
}
