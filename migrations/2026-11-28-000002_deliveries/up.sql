-- What is to reach somebody outside, tried again until it arrives or is given up: sign-outs to clients.
CREATE TABLE deliveries (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    realm_id      bigint NOT NULL REFERENCES realms,
    kind          text COLLATE "C" NOT NULL,
    client_key    bigint REFERENCES clients ON DELETE CASCADE,
    content       jsonb NOT NULL,
    state         text NOT NULL CHECK (state IN ('waiting', 'delivered', 'given_up')),
    attempts      integer NOT NULL DEFAULT 0,
    due_at        timestamptz NOT NULL,
    last_problem  text,
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    CHECK ((state = 'waiting') = (ended_at IS NULL))
);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'waiting';
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX deliveries_client ON deliveries (client_key);
