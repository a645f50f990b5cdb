export function follow(url, token, session, cursor, apply) {
  let seq = Number(cursor.split(".")[2]), wait = 500, code = 0, after = 0, socket, quiet, steady;
  const say = (frame) => socket.send(JSON.stringify(frame));
  const heard = () => { clearTimeout(quiet); quiet = setTimeout(() => socket.close(), 40_000); };
  const again = () => {
    setTimeout(() => connect().catch(again), Math.max(after, Math.random() * wait));
    wait = Math.min(2 * wait, 30_000);
  };
  const connect = async () => {
    const bearer = await token(code === 4001);
    after = 0;
    socket = new WebSocket(url.replace("http", "ws") + "/v1/realtime", "chat.v1");
    socket.onopen = () => {
      heard();
      steady = setTimeout(() => { wait = 500; }, 60_000);
      say({ op: "hello", token: bearer });
      say({ op: "subscribe", id: 1, stream: `session:${session}`, after: cursor });
    };
    socket.onmessage = (message) => {
      heard();
      const frame = JSON.parse(message.data);
      if (frame.op === "ping") say({ op: "pong", t: frame.t });
      if (frame.op === "goodbye") after = frame.after_ms;
      if (frame.op === "snapshot") { cursor = frame.cursor; seq = frame.as_of_seq; }
      for (const event of frame.events ?? []) {
        if (event.seq > seq + 1) return socket.close(); // one is missing: ask again
        if (event.seq <= seq) continue;
        apply(event);
        cursor = event.cursor; seq = event.seq;
      }
    };
    socket.onclose = (end) => {
      clearTimeout(quiet); clearTimeout(steady);
      code = end.code;
      if (code < 4500 && ![1000, 1008, 1009].includes(code)) again();
    };
  };
  connect().catch(again);
}
