//! The tables, as diesel sees them. Kept beside `migrations/`.
#![expect(missing_docs, reason = "generated items; the migrations document the columns")]

diesel::table! {
    realms (id) { id -> Int8, name -> Text, created_at -> Timestamptz, audit_begun -> Nullable<Timestamptz>, }
}

diesel::table! {
    clients (id) {
        id -> Int8,
        realm_id -> Int8,
        client_id -> Text,
        name -> Text,
        source -> Text,
        fetched_at -> Nullable<Timestamptz>,
        auth_method -> Text,
        secret_hash -> Nullable<Bytea>,
        secret_sealed -> Nullable<Bytea>,
        redirect_uris -> Array<Text>,
        post_logout_redirect_uris -> Array<Text>,
        grant_types -> Array<Text>,
        response_types -> Array<Text>,
        scopes -> Array<Text>,
        first_party -> Bool,
        application_type -> Text,
        default_audience -> Nullable<Text>,
        policy -> Jsonb,
        metadata -> Jsonb,
        registration_token_hash -> Nullable<Bytea>,
        generation -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
        disabled_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    initial_access_tokens (realm_id, id) {
        realm_id -> Int8,
        id -> Uuid,
        hash -> Bytea,
        note -> Text,
        uses_left -> Int4,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        created_by -> Text,
    }
}

diesel::table! {
    resources (id) {
        id -> Int8,
        realm_id -> Int8,
        identifier -> Text,
        name -> Text,
        scopes -> Jsonb,
        access_token_seconds -> Nullable<Int4>,
        access_token_alg -> Nullable<Text>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    users (id) {
        id -> Uuid,
        realm_id -> Int8,
        subject -> Text,
        username -> Text,
        username_folded -> Text,
        email -> Text,
        email_folded -> Text,
        email_verified_at -> Nullable<Timestamptz>,
        password_hash -> Nullable<Text>,
        password_changed_at -> Nullable<Timestamptz>,
        state -> Text,
        generation -> Int8,
        name -> Nullable<Text>,
        given_name -> Nullable<Text>,
        family_name -> Nullable<Text>,
        middle_name -> Nullable<Text>,
        nickname -> Nullable<Text>,
        profile -> Nullable<Text>,
        picture -> Nullable<Text>,
        website -> Nullable<Text>,
        gender -> Nullable<Text>,
        birthdate -> Nullable<Text>,
        zoneinfo -> Nullable<Text>,
        locale -> Nullable<Text>,
        phone_number -> Nullable<Text>,
        phone_verified_at -> Nullable<Timestamptz>,
        address -> Nullable<Jsonb>,
        metadata -> Jsonb,
        groups -> Array<Text>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        last_sign_in_at -> Nullable<Timestamptz>,
        state_reason -> Nullable<Text>,
        state_changed_at -> Nullable<Timestamptz>,
        ends_before -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    sign_in_links (realm_id, hash) {
        realm_id -> Int8,
        hash -> Bytea,
        user_id -> Uuid,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        spent_at -> Nullable<Timestamptz>,
        generation -> Nullable<Int8>,
    }
}

diesel::table! {
    roles (id) {
        id -> Int8,
        realm_id -> Int8,
        name -> Text,
        built_in -> Bool,
        permissions -> Array<Text>,
        created_at -> Timestamptz,
        description -> Text,
        updated_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    role_parents (role_id, parent_id) { role_id -> Int8, parent_id -> Int8, }
}

diesel::table! {
    user_roles (user_id, role_id) { user_id -> Uuid, role_id -> Int8, created_at -> Timestamptz, }
}

diesel::table! {
    client_roles (client_key, role_id) { client_key -> Int8, role_id -> Int8, created_at -> Timestamptz, }
}

diesel::table! {
    sessions (id) {
        id -> Uuid,
        realm_id -> Int8,
        handle_hash -> Bytea,
        user_id -> Uuid,
        state -> Text,
        auth_time -> Timestamptz,
        acr -> Text,
        amr -> Array<Text>,
        user_agent -> Nullable<Text>,
        address -> Nullable<Text>,
        created_at -> Timestamptz,
        idle_expires_at -> Timestamptz,
        expires_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        generation -> Nullable<Int8>,
    }
}

diesel::table! {
    consents (realm_id, user_id, client_key) {
        realm_id -> Int8,
        user_id -> Uuid,
        client_key -> Int8,
        scopes -> Array<Text>,
        claims -> Array<Text>,
        resources -> Array<Text>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    grants (id) {
        id -> Uuid,
        realm_id -> Int8,
        kind -> Text,
        parent_id -> Nullable<Uuid>,
        actor -> Nullable<Jsonb>,
        client_key -> Int8,
        user_id -> Nullable<Uuid>,
        subject -> Text,
        session_id -> Nullable<Uuid>,
        sid -> Nullable<Text>,
        scopes -> Array<Text>,
        resources -> Array<Text>,
        claims -> Nullable<Jsonb>,
        details -> Nullable<Jsonb>,
        confirmation -> Nullable<Jsonb>,
        redirect_uri -> Text,
        redirect_uri_sent -> Bool,
        code_challenge -> Nullable<Text>,
        code_challenge_method -> Text,
        nonce -> Nullable<Text>,
        auth_time -> Timestamptz,
        acr -> Text,
        amr -> Array<Text>,
        offline -> Bool,
        code_hash -> Nullable<Bytea>,
        code_expires_at -> Nullable<Timestamptz>,
        code_spent_at -> Nullable<Timestamptz>,
        access_until -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        ends_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
        generation -> Nullable<Int8>,
    }
}

diesel::table! {
    refresh_tokens (realm_id, hash) {
        realm_id -> Int8,
        hash -> Bytea,
        grant_id -> Uuid,
        client_key -> Int8,
        issued_at -> Timestamptz,
        expires_at -> Timestamptz,
        spent_at -> Nullable<Timestamptz>,
        successor -> Nullable<Bytea>,
    }
}

diesel::table! {
    interactions (realm_id, id) { realm_id -> Int8, id -> Uuid, sealed -> Bytea, expires_at -> Timestamptz, }
}

diesel::table! {
    spent (realm_id, kind, scope, hash, expires_on) {
        realm_id -> Int8,
        kind -> Text,
        scope -> Text,
        hash -> Bytea,
        expires_on -> Date,
    }
}

diesel::table! {
    signing_keys (realm_id, kid) {
        realm_id -> Int8,
        kid -> Text,
        alg -> Text,
        state -> Text,
        sealed -> Bytea,
        created_at -> Timestamptz,
        changed_at -> Timestamptz,
    }
}

diesel::table! {
    derivation_keys (realm_id, purpose, version) {
        realm_id -> Int8,
        purpose -> Text,
        version -> Int4,
        sealed -> Bytea,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    notices (seq) {
        seq -> Int8,
        realm_id -> Int8,
        version -> Int2,
        kind -> Text,
        key -> Text,
        generation -> Int8,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        xact -> Int8,
    }
}

diesel::table! {
    session_clients (session_id, client_key) {
        session_id -> Uuid,
        client_key -> Int8,
        subject -> Text,
        sid -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    deliveries (id) {
        id -> Int8,
        realm_id -> Int8,
        kind -> Text,
        client_key -> Nullable<Int8>,
        content -> Jsonb,
        state -> Text,
        attempts -> Int4,
        due_at -> Timestamptz,
        last_problem -> Nullable<Text>,
        created_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(sign_in_links -> users (user_id));
diesel::joinable!(role_parents -> roles (role_id));
diesel::joinable!(user_roles -> users (user_id));
diesel::joinable!(grants -> users (user_id));
diesel::joinable!(grants -> sessions (session_id));
diesel::joinable!(refresh_tokens -> grants (grant_id));
diesel::joinable!(deliveries -> clients (client_key));

diesel::allow_tables_to_appear_in_same_query!(
    realms,
    clients,
    initial_access_tokens,
    resources,
    users,
    roles,
    role_parents,
    user_roles,
    client_roles,
    sign_in_links,
    sessions,
    session_clients,
    deliveries,
    consents,
    grants,
    refresh_tokens,
    interactions,
    spent,
    signing_keys,
    derivation_keys,
    notices,
);
