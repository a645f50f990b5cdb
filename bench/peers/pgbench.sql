-- What PostgreSQL itself can do: a message and its event of one of 10 000 random sessions, in the
-- service's own tables. No lock on a session, no head of the log. The numbers are unique in a turn
-- by `base`; a client's `n` lives as long as the client.
\set session random(1, 10000)
\set n :n + 1
\set number :base + :n * 32 + :client_id
BEGIN;
INSERT INTO chat_messages (
    workspace_id, id, session_id, visibility, seq, public_seq, author_slot, author_type, author_id,
    client_message_id, fingerprint, content, metadata, public_metadata, version, created_at
) VALUES (
    :workspace, uuidv7(), ('00000000-0000-7000-8000-' || lpad(:session::text, 12, '0'))::uuid,
    'public', :number, :number, 'customer', 'customer', :customer,
    'limit-' || :number::text, sha256('Hello'), :content, '{}', '{}', 1, now()
);
INSERT INTO chat_events (
    workspace_id, pos, session_id, audience, seq, public_seq, id, type, actor_type, actor_id,
    message_id, data, created_at
) VALUES (
    :workspace, :number, ('00000000-0000-7000-8000-' || lpad(:session::text, 12, '0'))::uuid,
    'public', :number, :number, uuidv7(), 'message.created', 'customer', :customer,
    uuidv7(), '{}', now()
);
COMMIT;
