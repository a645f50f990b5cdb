export async function follow(url, token, session, cursor, apply) {
  let seq = 0, wait = 0, after = 0, code = 0;
  const talk = (bearer) => new Promise((end, fail) => {
    const socket = new WebSocket(url.replace("http", "ws") + "/v1/realtime", "chat.v1");
    const leave = (why) => { clearTimeout(quiet); socket.onmessage = null; socket.close(); end(why); };
    const alarm = () => setTimeout(() => leave(1006), 40_000);
    let quiet = alarm();
    const say = (frame) => socket.send(JSON.stringify(frame));
    const ask = () => say({
      op: "subscribe", id: 1, stream: `session:${session}`, after: cursor, on_reset: "error",
    });
    const hear = async (frame) => {
      if (frame.op === "ping") say({ op: "pong", t: frame.t });
      if (frame.op === "goodbye") after = frame.after_ms;
      if (frame.op === "error" && frame.problem.status !== 401)
        return leave(frame.problem.retryable ? 1013 : frame.problem.code);
      const far = frame.code === "too_far_behind";
      if (far) {
        const log = `${url}/v1/sessions/${session}/events?limit=500&after=${encodeURIComponent(cursor)}`;
        const page = await fetch(log, { headers: { Authorization: `Bearer ${bearer}` } })
          .then((answer) => answer.json()).catch(() => ({}));
        if (!page.data) return leave(1006);
        frame.events = page.data;
      } else if (frame.op === "unsubscribed") return leave(frame.code);
      for (const event of frame.events ?? []) {
        if (seq && event.seq > seq + 1) return leave(1006); // one is missing: ask again
        if (event.seq <= seq) continue;
        apply(event);
        cursor = event.cursor; seq = event.seq;
      }
      if (far) ask();
    };
    socket.onopen = () => { say({ op: "hello", token: bearer }); ask(); };
    socket.onmessage = (message) => {
      clearTimeout(quiet); quiet = alarm();
      hear(JSON.parse(message.data)).catch((error) => { fail(error); leave(); });
    };
    socket.onclose = (closed) => leave(closed.code);
  });
  while (typeof code === "number" && code < 4500 && ![1000, 1008, 1009].includes(code)) {
    await new Promise((on) => setTimeout(on, Math.max(after, Math.random() * wait)));
    const began = Date.now();
    wait = Math.min(2 * wait || 500, 30_000); after = 0;
    let bearer;
    try { bearer = await token(code === 4001); } catch (error) {
      if (!(error instanceof TypeError)) throw error; // fetch throws that where there is no network
    }
    if (bearer) code = await talk(bearer);
    if (Date.now() - began > 60_000) wait = 500;
  }
  return code;
}
