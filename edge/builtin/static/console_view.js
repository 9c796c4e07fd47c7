// What the console shows of what it was told: rows are made anew where something has changed, and kept otherwise,
// so that whoever reads or presses something is not disturbed.

import { bitRate, bytes, duration } from "./console_charts.js";

export const byId = (id) => document.getElementById(id);

export function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

export function make(kind, className = "", text = "") {
  const element = document.createElement(kind);
  if (className !== "") {
    element.className = className;
  }
  if (text !== "") {
    element.textContent = text;
  }
  return element;
}

// One row per item, by its name: those that stay are filled again, the others come and go.
function renewRows(body, items, nameOf, newRow, fill) {
  const known = new Map([...body.children].filter((row) => row.dataset.name).map((row) => [row.dataset.name, row]));
  const rows = items.map((item) => {
    const name = nameOf(item);
    let row = known.get(name);
    if (row === undefined) {
      row = newRow(item);
      row.dataset.name = name;
    }
    fill(row, item);
    return row;
  });
  if (rows.length !== body.children.length || rows.some((row, at) => body.children[at] !== row)) {
    const focused = document.activeElement;
    body.replaceChildren(...rows);
    if (focused !== null && focused !== document.activeElement && body.contains(focused)) {
      focused.focus({ preventScroll: true });
    }
  }
}

function setCells(row, from, texts) {
  texts.forEach((text, at) => {
    const cell = row.children[from + at];
    if (cell.textContent !== text) {
      cell.textContent = text;
    }
  });
}

function addCells(row, classes) {
  row.append(...classes.map((className) => make("td", className)));
}

export const nameOfStream = (stream) => `${stream.service}|${stream.key}`;

function newStreamRow(choose) {
  return (stream) => {
    const row = make("tr");
    const head = make("th", "text");
    head.scope = "row";
    const pick = make("button", "pick", stream.key);
    pick.type = "button";
    pick.addEventListener("click", () => choose(nameOfStream(stream)));
    const sign = make("span");
    sign.append(make("span", "dot"));
    sign.firstChild.setAttribute("aria-hidden", "true");
    head.append(sign, pick, make("small", "state"), make("div", "soft note"));
    row.append(head);
    addCells(row, ["number", "number", "number wide", "number wide", "number wide", "number wide"]);
    return row;
  };
}

// Why a stream is not as it should be, or "".
function noteOf(stream) {
  if (stream.pull_error) {
    return `pull: ${stream.pull_error}`;
  }
  if (stream.push_state && stream.push_state !== "live") {
    const error = stream.push_error ? `: ${stream.push_error}` : "";
    return `push to ${stream.push_to || "-"} ${stream.push_state} for ${duration(stream.push_state_s)}${error}`;
  }
  return "";
}

export function showStreams(data, chosen, choose) {
  setText("streams-count", `${data.live_count} live of ${data.stream_count}`);
  byId("empty").hidden = data.stream_count > 0;
  byId("streams").hidden = data.stream_count === 0;
  const rest = data.stream_count - data.streams.length;
  byId("streams-rest").hidden = rest <= 0;
  byId("streams-rest").firstChild.textContent = `... and ${rest} more, on `;
  renewRows(byId("stream-rows"), data.streams, nameOfStream, newStreamRow(choose), (row, stream) => {
    const [sign, pick, state, note] = row.firstChild.children;
    sign.className = stream.level;
    state.textContent = stream.service ? `${stream.service}, ${stream.shown_state}` : stream.shown_state;
    note.textContent = noteOf(stream);
    const isChosen = nameOfStream(stream) === chosen;
    row.classList.toggle("is-chosen", isChosen);
    pick.setAttribute("aria-pressed", String(isChosen));
    setCells(row, 1, [
      String(stream.players),
      bitRate(stream.video_bps + stream.audio_bps),
      stream.fps === null ? "-" : String(stream.fps),
      stream.gop ? String(stream.gop) : "-",
      stream.fluency_pct === null ? "-" : `${stream.fluency_pct.toFixed(1)} %`,
      duration(stream.uptime_s),
    ]);
  });
}

export function showAudience(audience) {
  const most = Math.max(1, ...audience.map((each) => each.player_count));
  byId("no-audience").hidden = audience.length > 0;
  const newRow = (each) => {
    const row = make("div");
    row.append(make("dt", "", each.protocol), make("dd"));
    row.lastChild.append(make("span", "bar"), make("span", "count"));
    return row;
  };
  renewRows(byId("audience"), audience, (each) => each.protocol, newRow, (row, each) => {
    const [bar, count] = row.lastChild.children;
    bar.style.width = `${(100 * each.player_count) / most}%`;
    count.textContent = String(each.player_count);
  });
}

const SERVER_LEVELS = { up: "good", isolated: "bad", checking: "bad", failing: "bad" };

function whyOf(server) {
  const parts = [];
  if (server.last_error) {
    const age = server.last_error_age_s === null ? "" : ` ${duration(server.last_error_age_s)} ago`;
    parts.push(`${server.last_error}${age}`);
  }
  if (server.isolated_for_ms) {
    parts.push(`passed over for another ${duration(server.isolated_for_ms / 1000)}`);
  }
  if (server.check_in_ms) {
    parts.push(`looked at again in ${duration(server.check_in_ms / 1000)}`);
  }
  return parts.join("; ");
}

export function showServers(data) {
  byId("upstreams").hidden = data.role !== "edge";
  const newRow = (server) => {
    const row = make("tr");
    const head = make("th", "text", `${server.endpoint} `);
    head.scope = "row";
    head.append(make("small", "state", server.service ? `${server.service}, ${server.use}` : server.use));
    row.append(head, make("td", "text"), make("td", "number"));
    row.children[1].append(make("span", "dot"), make("span"), make("div", "soft"));
    row.children[1].firstChild.setAttribute("aria-hidden", "true");
    return row;
  };
  const nameOf = (server) => `${server.service || ""}|${server.use}|${server.endpoint}`;
  renewRows(byId("server-rows"), data.servers, nameOf, newRow, (row, server) => {
    const [state, count] = [row.children[1], row.children[2]];
    state.className = `text ${SERVER_LEVELS[server.state] || "wait"}`;
    state.children[1].textContent = server.state;
    state.children[2].textContent = whyOf(server);
    count.textContent = String(server.streams_count);
  });
  const sources = data.sources.map((source) => {
    const error = source.last_error ? `, last failure: ${source.last_error}` : "";
    const count = source.servers_count === 1 ? "1 server" : `${source.servers_count} servers`;
    return `server list: ${source.state}, ${count}${error}`;
  });
  setText("sources", sources.join("; "));
}

export function showDetail(stream) {
  setText("detail-title", stream.key);
  byId("open-player").href = stream.player_page || "/play";
  byId("ask-why").href = `/why?stream=${encodeURIComponent(stream.key)}`;
  const codecs = [stream.video_codec, stream.audio_codec].filter(Boolean).join(" + ") || "-";
  const facts = [
    ["From", stream.publisher || "nobody now"],
    ["State", stream.shown_state],
    ["Codecs", codecs],
    ["Picture and sound", `${bitRate(stream.video_bps)} + ${bitRate(stream.audio_bps)}`],
    ["Frames per second", stream.fps === null ? "-" : String(stream.fps)],
    ["GOP", stream.gop ? `${stream.gop} frames` : "-"],
    ["Fluency", stream.fluency_pct === null ? "-" : `${stream.fluency_pct.toFixed(1)} %`],
    ["Delay", stream.delay_text || "-"],
    ["Viewers report", stream.quality_text || "-"],
  ];
  const list = byId("detail-facts");
  if (list.children.length !== 2 * facts.length) {
    list.replaceChildren(...facts.flatMap(([name]) => [make("dt", "", name), make("dd")]));
  }
  facts.forEach(([, value], at) => {
    const cell = list.children[2 * at + 1];
    if (cell.textContent !== value) {
      cell.textContent = value;
    }
  });
}

// "kick": called with the player whose button is pressed.
export function showPlayers(players, count, kick) {
  setText("players-count", String(count));
  byId("players").hidden = players.length === 0;
  byId("no-players").hidden = players.length > 0;
  const newRow = (player) => {
    const row = make("tr");
    const head = make("th", "text", player.peer || "-");
    head.scope = "row";
    row.append(head);
    addCells(row, ["", "number wide", "number wide", "number wide", "number"]);
    if (player.connection !== null && player.kind !== "PublishProxy") {
      const button = make("button", "", "Kick");
      button.type = "button";
      button.setAttribute("aria-label", `Kick ${player.peer}`);
      button.addEventListener("click", () => kick(player));
      row.lastChild.append(button);
    }
    return row;
  };
  const nameOf = (player) => `${player.connection}|${player.peer}|${player.protocol}`;
  renewRows(byId("player-rows"), players, nameOf, newRow, (row, player) => {
    const protocol = player.is_node ? `${player.protocol}, a node` : player.protocol;
    setCells(row, 1, [
      protocol, duration(player.age_ms / 1000), bytes(player.sent_bytes), `${(player.behind_ms / 1000).toFixed(1)} s`,
    ]);
  });
}
