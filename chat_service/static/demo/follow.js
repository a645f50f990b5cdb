export function follow(url, token, session, cursor, apply) {
  let seq = Number(cursor.split(".")[2]), wait = 500, quiet;
  const socket = new WebSocket(url.replace("http", "ws") + "/v1/realtime", "chat.v1");
  const say = (frame) => socket.send(JSON.stringify(frame));
  const heard = () => { clearTimeout(quiet); quiet = setTimeout(() => socket.close(), 40_000); };
  socket.onopen = () => {
    heard();
    say({ op: "hello", token });
    say({ op: "subscribe", id: 1, stream: `session:${session}`, after: cursor });
  };
  socket.onmessage = (message) => {
    heard();
    const frame = JSON.parse(message.data);
    if (frame.op === "ping") say({ op: "pong", t: frame.t });
    if (frame.op === "goodbye") wait = Math.max(wait, frame.after_ms);
    if (frame.op === "snapshot") { cursor = frame.cursor; seq = frame.as_of_seq; }
    for (const event of frame.events ?? []) {
      if (event.seq !== seq + 1) continue;
      cursor = event.cursor; seq = event.seq;
      apply(event);
    }
  };
  socket.onclose = ({ code }) => {
    clearTimeout(quiet);
    if (code < 4500 && code !== 1008 && code !== 1009)
      setTimeout(() => follow(url, token, session, cursor, apply), Math.random() * wait);
  };
  return socket;
}
