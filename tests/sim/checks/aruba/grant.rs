//! The code grant in its three steps.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::super::super::aruba::{AUTHORIZE, CLIENT_ID, CLIENT_SECRET, Config, LOGIN, MSP, PASSWORD, REDACTED, TOKEN, USER};
use super::{Answer, Bench, OTHER, answer, forms, other};

/// What a login gives: the two cookies.
struct Cookies {
    csrf: String,
    session: String,
}

impl Bench {
    fn post(&self, path_and_query: &str) -> RequestBuilder {
        self.client.request(Method::POST, format!("{}{path_and_query}", self.central.url()))
    }

    fn login_request(&self, user: &str, password: &str) -> RequestBuilder {
        self.post(&format!("{LOGIN}?client_id={CLIENT_ID}"))
            .json(&json!({"username": user, "password": password}))
    }

    async fn log_in(&self) -> Cookies {
        let response = self.login_request(USER, PASSWORD).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let cookies = response.headers().get_all("set-cookie").iter();
        let cookies: Vec<String> = cookies.map(|cookie| cookie.to_str().unwrap().to_owned()).collect();
        let value = |name: &str| {
            let found = cookies.iter().find_map(|cookie| cookie.strip_prefix(&format!("{name}=")));
            found.unwrap().split(';').next().unwrap().to_owned()
        };
        Cookies {
            csrf: value("csrftoken"),
            session: value("session"),
        }
    }

    fn authorize_request(&self, cookies: &Cookies) -> RequestBuilder {
        self.post(&format!("{AUTHORIZE}?client_id={CLIENT_ID}&response_type=code&scope=all"))
            .header("x-csrf-token", &cookies.csrf)
            .header("cookie", format!("session={}", cookies.session))
            .json(&json!({"customer_id": MSP}))
    }

    async fn code(&self) -> String {
        let (status, body) = answer(self.authorize_request(&self.log_in().await)).await;
        assert_eq!(status, 200, "{body}");
        body["auth_code"].as_str().unwrap().to_owned()
    }

    async fn redeem(&self, code: &str) -> Answer {
        let query = format!("client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&grant_type=authorization_code&code={code}");
        answer(self.post(&format!("{TOKEN}?{query}"))).await
    }
}

#[tokio::test]
async fn three_steps_lead_to_a_pair_of_tokens_that_is_good() {
    let mut bench = Bench::new(Config::still()).await;
    let (status, pair) = bench.redeem(&bench.code().await).await;
    assert_eq!(status, 200);
    forms::tokens(&pair);
    assert_eq!((&pair["expires_in"], &pair["token_type"]), (&json!(7200), &json!("bearer")));
    pair["access_token"].as_str().unwrap().clone_into(&mut bench.token);
    assert_eq!(bench.get("/firmware/v1/swarms").await.0, 200);
    assert_eq!(
        (bench.central.logins(), bench.central.issued()),
        (1, 2),
        "with the bench's own pair"
    );
}

#[tokio::test]
async fn a_code_is_good_once_and_not_for_long() {
    let bench = Bench::new(Config::still()).await;
    let code = bench.code().await;
    assert_eq!(bench.redeem(&code).await.0, 200);
    let (status, body) = bench.redeem(&code).await;
    assert_eq!(status, 400);
    forms::oauth(&body, "invalid_grant");
    let late = bench.code().await;
    bench.advance(300);
    assert_eq!(bench.redeem(&late).await.0, 400);
    bench.central.set(|s| s.failed_code = 403);
    assert_eq!(bench.redeem("no-such-code").await.0, 403);
}

#[tokio::test]
async fn a_login_wants_the_right_client_user_and_password() {
    let bench = Bench::with(other()).await;
    for status in [401, 400] {
        bench.central.set(|s| s.bad_credentials = status);
        for (user, password) in [
            (USER, "guess"),
            ("somebody@example.com", PASSWORD),
            ("other@example.com", "other-password"),
        ] {
            let (got, body) = answer(bench.login_request(user, password)).await;
            assert_eq!(got, status, "{user}");
            forms::gateway(&body);
        }
    }
    let login = json!({"username": USER, "password": PASSWORD});
    let (status, body) = answer(bench.post(&format!("{LOGIN}?client_id=nobody")).json(&login)).await;
    assert_eq!(status, 401);
    forms::oauth(&body, "invalid_client");
    assert_eq!(bench.central.logins(), 0);
}

#[tokio::test]
async fn inputs_of_a_login_are_in_the_query_and_in_a_json_body_and_nowhere_else() {
    let bench = Bench::new(Config::still()).await;
    let login = json!({"username": USER, "password": PASSWORD});
    let path = format!("{LOGIN}?client_id={CLIENT_ID}");
    for request in [
        bench.post(LOGIN).json(&login),
        bench.post(&format!("{path}&client_id={CLIENT_ID}")).json(&login),
        bench.post(&format!("{path}&scope=all")).json(&login),
        bench.post(&path).body(login.to_string()),
        bench.post(&path).json(&json!({"username": USER})),
        bench
            .post(&path)
            .json(&json!({"username": USER, "password": PASSWORD, "customer_id": MSP})),
        bench.post(&path).json(&json!({"username": USER, "password": 7})),
        bench.post(&path).json(&json!([USER, PASSWORD])),
    ] {
        let (status, body) = answer(request).await;
        assert_eq!(status, 400);
        forms::oauth(&body, "invalid_request");
    }
    let get = bench.client.get(format!("{}{path}", bench.central.url()));
    assert_eq!(answer(get).await.0, 405);
    assert_eq!(answer(bench.post("/oauth2/no-such")).await.0, 404);
}

#[tokio::test]
async fn a_code_wants_the_cookie_the_header_and_the_right_customer() {
    let bench = Bench::with(other()).await;
    let cookies = bench.log_in().await;
    let path = |client: &str, kind: &str, scope: &str| format!("{AUTHORIZE}?client_id={client}&response_type={kind}&scope={scope}");
    let ask = |path: &str, csrf: &str, cookie: &str, customer: &str| {
        let request = bench.post(path).header("x-csrf-token", csrf).header("cookie", cookie);
        request.json(&json!({"customer_id": customer}))
    };
    let (right, cookie) = (path(CLIENT_ID, "code", "all"), format!("session={}", cookies.session));
    for (request, status) in [
        (bench.post(&right).json(&json!({"customer_id": MSP})), 401),
        (ask(&right, &cookies.csrf, "session=guess", MSP), 401),
        (ask(&right, "guess", &cookie, MSP), 403),
        (ask(&right, &cookies.csrf, &cookie, "4d1c0000"), 403),
        (ask(&path(OTHER, "code", "all"), &cookies.csrf, &cookie, MSP), 403),
        (ask(&path(CLIENT_ID, "token", "all"), &cookies.csrf, &cookie, MSP), 400),
        (ask(&path(CLIENT_ID, "code", "some"), &cookies.csrf, &cookie, MSP), 400),
        (ask(AUTHORIZE, &cookies.csrf, &cookie, MSP), 400),
    ] {
        assert_eq!(answer(request).await.0, status);
    }
    let both = format!("csrftoken={}; session={}", cookies.csrf, cookies.session);
    assert_eq!(answer(ask(&right, &cookies.csrf, &both, MSP)).await.0, 200, "with both cookies too");
    bench.advance(900);
    assert_eq!(answer(bench.authorize_request(&cookies)).await.0, 401, "and not for ever");
}

#[tokio::test]
async fn a_token_wants_the_clients_secret_and_a_grant_that_is_known() {
    let bench = Bench::with(other()).await;
    let code = bench.code().await;
    let ask = |query: String| answer(bench.post(&format!("{TOKEN}?{query}")));
    let grant = "grant_type=authorization_code";
    for (query, status, error) in [
        (
            format!("client_id={CLIENT_ID}&client_secret=guess&{grant}&code={code}"),
            401,
            "invalid_client",
        ),
        (
            format!("client_id=nobody&client_secret={CLIENT_SECRET}&{grant}&code={code}"),
            401,
            "invalid_client",
        ),
        (
            format!("client_id={OTHER}&client_secret=other-secret&{grant}&code={code}"),
            400,
            "invalid_grant",
        ),
        (format!("client_id={CLIENT_ID}&{grant}&code={code}"), 400, "invalid_request"),
        (
            format!("client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&{grant}"),
            400,
            "invalid_request",
        ),
        (
            format!("client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&code={code}"),
            400,
            "invalid_request",
        ),
        (
            format!("client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&grant_type=client_credentials"),
            400,
            "unsupported_grant_type",
        ),
    ] {
        let (got, body) = ask(query.clone()).await;
        assert_eq!(got, status, "{query}");
        forms::oauth(&body, error);
    }
    assert_eq!(bench.redeem(&code).await.0, 200, "and the code was not used up by that");
}

#[tokio::test]
async fn the_steps_of_a_login_may_be_slowed_down() {
    let bench = Bench::new(Config::still().settings(|s| s.logins_per_second = Some(1))).await;
    let cookies = bench.log_in().await;
    let (status, body) = answer(bench.authorize_request(&cookies)).await;
    assert_eq!((status, &body["message"]), (429, &json!("API rate limit exceeded")));
    bench.advance(1);
    assert_eq!(answer(bench.authorize_request(&cookies)).await.0, 200);
}

#[tokio::test]
async fn the_log_has_neither_password_nor_secret_nor_code_nor_token() {
    let mut bench = Bench::new(Config::still()).await;
    let code = bench.code().await;
    assert_eq!(bench.redeem(&code).await.0, 200);
    let pair = bench.take_token(super::CLIENT_ID);
    let refresh = pair.refresh.expose();
    let query = format!("client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&grant_type=refresh_token&refresh_token={refresh}");
    assert_eq!(answer(bench.post(&format!("{TOKEN}?{query}"))).await.0, 200);
    let log = serde_json::to_string(&bench.central.log().requests()).unwrap();
    for secret in [PASSWORD, CLIENT_SECRET, &code, refresh, pair.access.expose()] {
        assert!(!log.contains(secret), "{secret}");
    }
    for plain in [REDACTED, "grant_type=refresh_token", CLIENT_ID, USER, "response_type=code"] {
        assert!(log.contains(plain), "{plain}");
    }
    let shown = format!("{pair:?} {:?}", Value::Null);
    assert!(!shown.contains(refresh), "{shown}");
}
