//! Tokens that pass through the browser, signed requests, answers that are encrypted, settings that are wrong.

use josekit::jwk::Jwk;
use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::{Driver, made};
use crate::scene::admin;
use crate::support::prelude::*;

impl Driver<'_> {
    /// Implicit and hybrid answers, in the fragment and in a form that posts itself, and their errors.
    pub(super) async fn front_channel(&mut self) {
        let types = ["code", "code id_token token", "id_token token", "id_token"];
        let client = self.client(ClientSpec::confidential().with_response_types(&types)).await;
        let mut browser = Browser::new(self.signet);
        for response_type in types {
            for mode in ["fragment", "form_post"] {
                let request = AuthRequest::new(&client)
                    .with("response_type", response_type)
                    .with("response_mode", mode)
                    .with("state", &made("state"));
                self.hunt.keep("verifier", &request.verifier);
                let answer = flow::through(&mut browser, &request.url(self.signet), &admin()).await;
                let value = |name: &str| match &answer {
                    Landing::Left(url) => flow::parameter(url, name),
                    Landing::Page(page) => page.form(&["iss"]).expect("a form").value(name).map(str::to_owned),
                };
                let mut told = 0;
                for name in ["code", "access_token", "id_token"] {
                    if let Some(value) = value(name) {
                        self.hunt.keep(name, &value);
                        told += 1;
                    }
                }
                assert_eq!(told, response_type.split(' ').count(), "{response_type} by {mode}");
                self.browsed(&browser, None);
                // An error travels as the answer would, and a token goes where it does not belong.
                let access_token = value("access_token").unwrap_or_else(|| made("token"));
                let wrong = request.with("prompt", "none login").with("id_token_hint", &access_token);
                let refused = browser.get(wrong.url(self.signet)).await;
                if let Landing::Page(page) = refused {
                    self.hunt.search_page("a posted error", &page.body);
                }
            }
        }
    }

    /// Signed requests, by a right key and by a wrong one, and one that is sent twice.
    pub(super) async fn signed_requests(&mut self) {
        let (key, other) = (Signer::new("ES256", "k"), Signer::new("ES256", "k"));
        let members = json!({ "jwks": signer::set(&[&key]), "request_object_signing_alg": "ES256" });
        let client = self.client(ClientSpec::confidential().with_metadata(&members)).await;
        let mut browser = Browser::new(self.signet);
        for (signs, hint) in [(&key, made("hint")), (&other, made("hint"))] {
            let request = AuthRequest::new(&client);
            let mut claims: Map<String, Value> =
                request.parameters.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            let usual = json!({ "iss": client.id, "aud": self.signet.issuer(), "exp": signer::now() + 60,
                "jti": flow::random(), "login_hint": hint });
            claims.extend(usual.as_object().expect("members").clone());
            let object = signs.sign(json!({ "typ": "oauth-authz-req+jwt" }), &Value::Object(claims));
            self.hunt.keep("signature of a request object", object.split('.').nth(2).expect("a signature"));
            for _ in 0..2 {
                let url = request.clone().with("request", &object).url(self.signet);
                match browser.get(&url).await {
                    Landing::Page(page) => self.browsed(&browser, Some(&page)),
                    Landing::Left(url) => assert!(flow::parameter(&url, "error").is_some(), "{url}"),
                }
            }
        }
    }

    /// An ID token and a userinfo answer that only the client can read.
    pub(super) async fn encrypted(&mut self) {
        let key = Jwk::generate_rsa_key(2_048).expect("a key");
        let mut public: Map<String, Value> = key.to_public_key().expect("a public key").into();
        public.insert("use".to_owned(), json!("enc"));
        let members = json!({
            "jwks": { "keys": [public] },
            "id_token_encrypted_response_alg": "RSA-OAEP-256", "id_token_encrypted_response_enc": "A256GCM",
            "userinfo_encrypted_response_alg": "RSA-OAEP-256", "userinfo_encrypted_response_enc": "A256GCM",
        });
        let client = self.client(ClientSpec::confidential().with_metadata(&members)).await;
        let mut browser = Browser::new(self.signet);
        let request = AuthRequest::new(&client).with("scope", "openid email");
        let code = flow::code(self.signet, &mut browser, &request, &admin()).await;
        self.hunt.keep("code", &code);
        let answer = flow::exchange(self.signet, &client, &code, &request.verifier).await;
        let answer = self.answered(answer).await;
        let tokens = self.granted(answer);
        let told = flow::userinfo(self.signet, flow::member(&tokens, "access_token")).await;
        assert_eq!(told.status(), StatusCode::OK);
        self.hunt.keep("encrypted userinfo", &told.text().await.expect("a JWT"));
        let hint = AuthRequest::new(&client).with("id_token_hint", flow::member(&tokens, "id_token"));
        let _ = browser.get(hint.url(self.signet)).await;
    }

    /// A secret in a setting that is wrong, read again by the server that runs.
    pub(super) async fn wrong_settings(&mut self) {
        let secret = made("setting");
        self.hunt.keep("secret in a setting that is wrong", &secret);
        let folder = self.signet.folder().join("config");
        std::fs::create_dir_all(&folder).expect("a folder");
        let lines = format!(
            "[redis]\nurl = [\"redis://:{secret}@127.0.0.1:1\"]\n[database]\nurl = \"postgres://u:{secret}@h:x/d\"\n"
        );
        let file = folder.join("signet.toml");
        for text in [lines, format!("[redis]\nurl = \"redis://:{secret}\n")] {
            std::fs::write(&file, text).expect("a file");
            for command in [&["reload"][..], &["config", "check"], &["config", "show"], &["doctor"]] {
                let output = self.signet.cli(command).await;
                let said = [output.stdout, output.stderr].concat();
                self.hunt.search(&format!("what {command:?} says"), &String::from_utf8_lossy(&said));
            }
        }
        std::fs::remove_file(&file).expect("a file");
    }
}
