// The demo: a customer on the left, an agent on the right, over the public API alone.
import { follow } from "/static/demo/follow.js";

const json = { "Content-Type": "application/json" };
const id = () => crypto.randomUUID();

async function call(method, path, token, body) {
  const headers = token ? { ...json, Authorization: `Bearer ${token}` } : json;
  for (let wait = 250; ; wait = Math.min(wait * 2, 8000)) {
    try {
      const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
      const document = answer.status === 204 ? {} : await answer.json();
      if (answer.ok) return document;
      if (!document.retryable) throw new Error(document.detail);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    await new Promise((done) => setTimeout(done, wait));
  }
}

class Side {
  constructor(name, signIn) {
    this.signIn = signIn;
    this.section = document.getElementById(name);
    this.log = this.section.querySelector("ol");
    this.form = this.section.querySelector("form");
    this.input = this.form.querySelector("input[type=text]");
    this.status = this.section.querySelector("output");
    this.sent = Promise.resolve();
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.input.value.trim();
      if (text && this.session) this.send(text);
    });
  }

  send(text) {
    this.input.value = "";
    const note = this.form.querySelector("input[type=checkbox]")?.checked;
    const message = { client_message_id: id(), content: { type: "text", text } };
    if (note) message.visibility = "internal";
    // One after the other, so that a message that is tried again stays before the next one.
    this.sent = this.sent.then(() => this.post(message));
  }

  async post(message) {
    try {
      await call("POST", `/v1/sessions/${this.session}/messages`, this.token, message);
    } catch (error) {
      this.input.value ||= message.content.text;
      this.say(error.message);
    }
  }

  open(session, cursor) {
    this.session = session;
    this.log.replaceChildren();
    const token = async (renew) => (renew ? this.renew() : this.token);
    follow(location.origin, token, session, cursor, (event) => this.show(event)).then(
      (why) => this.say(`The end: ${why}`),
      (error) => this.say(error.message),
    );
  }

  async renew() {
    this.signedIn = await this.signIn(this.signedIn);
    this.token = this.signedIn.access_token;
    return this.token;
  }

  show(event) {
    const item = document.createElement("li");
    const message = event.data.message;
    item.textContent = message
      ? `${message.author.display_name ?? message.author.type}: ${message.content?.text ?? "(deleted)"}`
      : event.type;
    item.className = message ? `${message.author.type} ${message.visibility}` : "fact";
    item.title = `seq ${event.seq} · ${event.type}`;
    this.log.append(item);
    item.scrollIntoView({ block: "nearest" });
    this.say(event.session ? `${event.session.status}, version ${event.session.version}` : "");
  }

  say(text) {
    this.status.textContent = text;
  }
}

const given = await call("GET", "/demo/credentials.json");
const customer = new Side("customer", (before) =>
  before
    ? call("POST", "/v1/auth/token", null, { refresh_token: before.refresh_token })
    : call("POST", `/v1/inboxes/${given.inbox_key}/customers`, null, { profile: { name: "Carla" } }),
);
const agent = new Side("agent", () =>
  call("POST", "/v1/auth/sign-in", null, { email: given.email, password: given.password }),
);

await customer.renew();
const started = await call("POST", "/v1/sessions", customer.token, { client_session_id: id() });
customer.open(started.session.id, "c1.p.0");

await agent.renew();
agent.open(started.session.id, "c1.s.0");
document.body.dataset.ready = "true";
