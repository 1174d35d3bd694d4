//! True positives with their ranges marked by «», and true negatives.
//!
//! Card numbers are the networks' test numbers; IBANs are the registry's examples; national
//! identifiers are their issuers' or encyclopedias' examples or made up with a right check digit.

use policy::detect::Builtin::{self, *};

/// A made-up token body of `n` characters, letters and digits mixed.
pub fn body(n: usize) -> String {
    "aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW0xY"
        .chars()
        .cycle()
        .take(n)
        .collect()
}

fn upper(n: usize) -> String {
    "Q3XW7ZKD2PLM5VTB".chars().cycle().take(n).collect()
}

fn hex(n: usize) -> String {
    "0a1b2c3d4e5f6789".chars().cycle().take(n).collect()
}

fn jwt() -> String {
    // {"alg":"HS256"} . {"sub":"1234567890"} . a signature
    [
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJzdWIiOiIxMjM0NTY3ODkwIn0",
        "dozjgNryP4J3jVmNHl0w5N",
    ]
    .join(".")
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

/// Values for a detector, with what it finds in them marked; unmarked ones are its near misses.
pub fn positives(builtin: Builtin) -> Vec<String> {
    match builtin {
        Email => owned(&[
            "«alice.smith+billing@mail.example.co.uk»",
            "login failed for user «bob@example.com» from 10.0.0.1",
            "<«a_b%c-d@sub-domain.example.museum»>,«x@y.io».",
            "мейл: «ivan@example.xn--p1ai»!",
            "git@github.com:org/repo.git",
            "lodash@4.17.21 and @scope/pkg@1.0.0-alpha.beta, getty@tty1.service",
            "registry.example.net/app@sha256:9b2cf535f27731c974343645a3985328",
            "java.lang.Object@1b2c3d4e, @, a@, @b.com, user@localhost",
        ]),
        Ipv4 => owned(&[
            "«10.42.17.4»",
            "dial tcp «192.168.1.20»:5432: connect: connection refused",
            "http://«203.0.113.7»/login, «198.51.100.1»-«198.51.100.9», [«8.8.8.8»].",
            "orders.svc/«10.0.0.1»:8080 (Java prints addresses so)",
            "listening on 0.0.0.0:8080 and 127.0.0.1:9090",
            "Chrome/120.0.0.0 Safari/537.36",
            "nginx-1.25.3.1, v1.2.3.4, 1.2.3.4-SNAPSHOT, 1.2.3.4.5, version: 4.3.2.1, 256.1.1.1",
            "1.02.3.4 and 10.0.0 and 10.0.0.1a and 4.18.0.1-477.el8",
        ]),
        Ipv6 => owned(&[
            "«2001:db8::8a2e:370:7334»",
            "[«fe80::1»%eth0]:443 and «2001:0db8:0000:0000:0000:ff00:0042:8329».",
            "peer «::ffff:192.0.2.128» via «64:ff9b::c000:201»: timeout",
            "std::vector, a::b, Foo::Bar, dead::beef, ::1, ::, 12:30:45, aa:bb:cc:dd:ee:ff",
            "50:01:43:80:12:34:56:78 is a world wide name, 16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48 a fingerprint",
        ]),
        CardNumber => vec![
            format!("«{}»", ["4111", "1111", "1111", "1111"].join("")),
            format!("paid with «{}», exp 12/27", ["4111", "1111", "1111", "1111"].join(" ")),
            format!("card=«{}»;", ["5555", "5555", "5555", "4444"].join("-")),
            format!("order 12345 «{}»", ["3782", "822463", "10005"].join(" ")),
            format!("«{}» «{}» «{}»", "6011".to_owned() + "111111111117", "30569".to_owned() + "309025904", "3530".to_owned() + "111333300000"),
            "4111111111111112 has a wrong check digit, 1764000000000000000 is a time".to_owned(),
            "0.4111111111111111 and 4111111111111111.5 and a4111111111111111".to_owned(),
        ],
        Iban => vec![
            format!("«DE89{}»", "370400440532013000"),
            format!("IBAN: «{}», BIC COBADEFF", ["GB29", "NWBK", "6016", "1331", "9268", "19"].join(" ")),
            format!("«NO93{}» «MT84MALT{}»", "86011117947", "011000012345MTLCAST001S"),
            "DE89370400440532013001, XX89370400440532013000, AB12 is no account".to_owned(),
        ],
        Jwt => vec![
            format!("«{}»", jwt()),
            format!("cookie: session=«{}»; path=/", jwt()),
            format!("cut off: «{}», not yet: eyJhbGciOiJIUzI1NiJ9", &jwt()[..40]),
            format!("encrypted «{}»", ["eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0", "", &body(16), &body(40), &body(22)].join(".")),
            "eyJuYW1lIjoicGxhaW4gZGF0YSJ9 is base64 of plain data".to_owned(),
        ],
        BearerToken => vec![
            format!("Authorization: Bearer «{}»", body(12)),
            "authorization: bearer «opaque»".to_owned(),
            format!(r#"{{"headers":{{"Authorization":["Bearer «{}»"]}}}}"#, jwt()),
            format!("sent BEARER «{}» to upstream", body(32)),
            "the bearer token is missing, bearer authentication failed, forbearer x".to_owned(),
        ],
        BasicCredentials => vec![
            format!("Authorization: Basic «{}»", ["YWxhZGRpbjpvc", "GVuc2VzYW1l"].concat()),
            format!("header basic «{}» was sent", ["dXNlcjpw", "YXNzd29yZA=="].concat()),
            "Basic authentication is required; basic functionality works".to_owned(),
        ],
        AwsAccessKey => vec![
            format!("«AKIA{}»", upper(16)),
            format!("aws_access_key_id=«ASIA{}»&x=1", upper(16)),
            format!("AKIA{} is too short, xAKIA{} within a word", upper(10), upper(16)),
        ],
        AwsSecretKey => vec![
            format!("aws_secret_access_key = «{}»", body(40)),
            format!(r#""SecretAccessKey": "«{}»","#, body(40)),
            format!(r#"{{\"secretAccessKey\":\"«{}»\"}}"#, body(40)),
            format!("checksum={}, secret_access_key={}", body(40), body(39)),
        ],
        GcpApiKey => vec![
            format!("https://maps.example.com/api?key=«AIza{}»", body(35)),
            format!("AIza{}", body(36)),
        ],
        GcpServiceAccount => vec![
            format!(r#"{{"type":"service_account","private_key_id":"«{}»"}}"#, hex(40)),
            format!(r#"{{\"private_key_id\": \"«{}»\"}}"#, hex(40)),
            format!("revision: {}, private_key_id: none", hex(40)),
        ],
        AzureKey => vec![
            format!("DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=«{}==»;EndpointSuffix=x", body(86)),
            format!("SharedAccessKeyName=root;SharedAccessKey=«{}=»", body(43)),
            format!("https://shop.blob.example.net/c/b?sv=2024-05-04&sig=«{}%3D»&se=2026", body(43)),
            "sig=short, sigma=0.12345678901234567890123".to_owned(),
        ],
        GithubToken => vec![
            format!("clone with «ghp_{}» failed", body(36)),
            format!("https://x-access-token:«ghs_{}»@github.com/org/repo", body(36)),
            format!("«github_pat_{}»", body(82)),
            format!("xghp_{}, ghp_short, ghx_{}", body(36), body(36)),
        ],
        GitlabToken => vec![
            format!("PRIVATE-TOKEN: «glpat-{}»", body(20)),
            format!("«glrt-{}» «glsoat-{}»", body(20), body(26)),
            "glpat-short, global-configuration-of-all-things".to_owned(),
        ],
        SlackToken => vec![
            format!("«xoxb-{}»", "123456789012-1234567890123-".to_owned() + &body(24)),
            format!("post «xapp-1-{}»", body(30)),
            format!("https://«hooks.slack.com/services/T{}/B{}/{}»", upper(8), upper(8), body(24)),
            "xoxb-, my.slack.com/archives, webapp-frontend-production".to_owned(),
        ],
        StripeKey => vec![
            format!("key «sk_live_{}»", body(24)),
            format!("«rk_test_{}» «whsec_{}»", body(24), body(32)),
            "sk_live_short task_live_migration_of_everything disk_test_results_of_the_day".to_owned(),
        ],
        GenericSecret => vec![
            "connecting with user=app password=«hunter2» host=db".to_owned(),
            r#"{"user":"bob","password":"«p\"w, d»","n":1}"#.to_owned(),
            r#"{\"clientSecret\": \"«s3cr3t-value»\"}"#.to_owned(),
            r#"Parameters: {"password"=>"«correct horse»", "commit"=>"Sign in"}"#.to_owned(),
            "Server=db;User Id=sa;Pwd=«P@ss=w0rd»;Encrypt=true".to_owned(),
            "/login?user=bob&api_key=«abcdef»&x=1".to_owned(),
            "DB_PASS='«tiger»' smtp.pass: «abc123xyz» x-api-key: «0f9e8d7c6b»".to_owned(),
            "password: «hunter22» and token=«ünïcödé» and passwd=\"«cut off".to_owned() + "»",
            "password: incorrect, password=*** token=<redacted> secret=${SECRET} password=null".to_owned(),
            "unexpected token: expected ')', invalid token: foo, max_tokens=4096, tests pass=312 fail=0".to_owned(),
            r#"secret="kube-system/registry-pull" nextPageToken=abcdefghijk token_type=bearer"#.to_owned(),
            "com.example.InvalidTokenException: expired at 12:00:00, Token::Ident, key: value42".to_owned(),
        ],
        PrivateKey => vec![
            format!("«{}BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----»\nrest", "-----", body(64)),
            format!(r#"{{"private_key":"«{}BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----»\n"}}"#, "-----", body(64)),
            format!("cut: «{}BEGIN OPENSSH PRIVATE KEY-----\n{}", "-----", body(64)) + "»",
            format!("«{}\n{}END EC PRIVATE KEY-----» is the tail", body(64), "-----"),
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE----- -----BEGIN PUBLIC KEY-----".to_owned(),
        ],
        UrlCredentials => owned(&[
            "postgres://«app:s3cret»@db.internal:5432/orders?sslmode=require",
            "redis://«:p@ss»@cache:6379/0 and amqp://«guest:guest»@mq",
            "https://example.net:8443/users/@me, ssh://git@example.net/x, http://u:@h/",
        ]),
        UrlQuerySecret => vec![
            format!("https://x.example/cb?state=1&access_token=«{}»#frag", body(8)),
            "GET /files/1?X-Amz-Credential=«AKID%2F20260101»&X-Amz-Date=2026&X-Amz-Signature=«0af9» HTTP/1.1".to_owned(),
            "/reset?token=«x»&next=/home".to_owned(),
            "/search?q=token&page=2&keyword=key, token=abc".to_owned(),
        ],
        SqlLiteral => owned(&[
            "SELECT id, name FROM users WHERE email = '«bob@x.io»' AND age > «42» LIMIT «10»",
            "insert into t (a, b2) values ('«it''s»', -«1.5e3»)",
            "UPDATE \"users\" SET name='«O\\'Neil»', t1.n = «0x1F»",
            "/* app='shop' */ DELETE FROM orders WHERE id IN («1»,«2») -- id 3\n OR path = '«C:\\»' OR x='«y»'",
            "query failed: SELECT * FROM t WHERE a = $1 AND b = ? AND c = \"«str»\" AND d.\"e\" = \"f\".\"g\"",
            "with a as (select b from c where d = '«cut off»",
            "ALTER USER app IDENTIFIED BY '«tiger»'",
            "please select one of the 5 entries from the list of 'all'",
            "selected 3 from 'x', update 4 of 5, MERGE request !42 INTO main, SELECT 1",
        ]),
        PhoneNumber => owned(&[
            "call «+49 30 1234567» or «+14155552671», «+1 (415) 555-2671».",
            "«(415) 555-2671», «415-555-2671», 1-«415-555-2671».",
            "2026-03-14T09:26:53+01:00, 1e+12345678, q=a+12345678, 1.2.3+20260314, +1234",
            "9f1c7a52-3f0e-4c19-8d3e-415555267100, 115-555-2671, 415-555-26711, 1.415.555.2671.9",
        ]),
        NationalIdUsSsn => owned(&["ssn «536-90-4399»", "000-12-3456 666-12-3456 900-12-3456 123-00-4567 536-90-43991"]),
        NationalIdDeSteuerId => owned(&["IdNr. «86 095 742 719», «47036892816»", "86095742718 00000000000"]),
        NationalIdUkNino => owned(&["«AB123456C» «AB 12 34 56 C»", "GB123456A AB123456E QQ123456C"]),
        NationalIdFrNir => owned(&["«255081416802538» «2 55 08 14 168 025 38»", "255081416802539"]),
        NationalIdEsDni => owned(&["dni «12345678Z» nie «X1234567L» «12345678-Z»", "12345678A X1234567Z"]),
        NationalIdItCf => owned(&["cf «RSSMRA85T10A562S»", "RSSMRA85T10A562T"]),
        NationalIdPlPesel => owned(&["pesel «44051401359»", "44051401358 44991401359"]),
        NationalIdNlBsn => owned(&["bsn «111222333»", "111222334 000000000"]),
        NationalIdBrCpf => owned(&["cpf «529.982.247-25» «52998224725»", "529.982.247-26 11111111111"]),
        NationalIdInAadhaar => owned(&["uid «2341 2341 2346» «234123412346»", "234123412347 0341 2341 2346"]),
    }
}

/// What the default detectors must leave.
pub const CLEAN: &[&str] = &[
    "",
    "GET",
    "https",
    "orders",
    "1.1",
    "4.7.11",
    "v1.29.3-eks-adc7111",
    "2.20.0-alpha",
    "1.37.0+build.20260314",
    "true",
    "3.141592653589793",
    "-273.15",
    "6.02214076e+23",
    "1764000000000000000",
    "1764000000123",
    "1764000000",
    "9f1c7a52-3f0e-4c19-8d3e-2b7d4f6a8c10",
    "41111111-1111-4111-1111-111111111111",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "00f067aa0ba902b7",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
    "2026-03-14T09:26:53.589793Z",
    "2026-03-14 09:26:53,589",
    "2026-03-14T09:26:53+01:00",
    "14/Mar/2026:09:26:53 +0000",
    "Sat, 14 Mar 2026 09:26:53 GMT",
    "PT1H30M",
    "sha256:9b2cf535f27731c974343645a3985328e9b2cf535f27731c974343645a398532",
    "registry.example.net:5000/shop/orders:1.4.2@sha256:9b2cf535f27731c974343645a3985328e9b2cf535f27731c974343645a398532",
    "ghcr.io/example/scanner:v0.58.1",
    "containerd://7c9d8f6b5a4e3d2c1b0a9f8e7d6c5b4a39281706f5e4d3c2b1a0998877665544",
    "pkg:npm/%40angular/core@17.3.0?arch=x86_64",
    "pkg:deb/debian/curl@7.88.1-10+deb12u5?arch=amd64&distro=bookworm",
    "pkg:maven/org.apache.logging.log4j/log4j-core@2.17.1",
    "CVE-2021-44228",
    "GHSA-jfh8-c2jp-5v3q",
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H",
    "cpe:2.3:a:apache:log4j:2.14.1:*:*:*:*:*:*:*",
    "RHSA-2024:1234",
    "openssl-3.0.7-27.el9.x86_64",
    "libc6_2.36-9+deb12u4",
    "orders-7c9d8f6b5-x2x9q",
    "orders.shop-production.svc.cluster.eu-west-1.example.net",
    "ip-10-42-17-4.eu-west-1.compute.internal",
    "arn:aws:iam::123456789012:role/scanner",
    "system:serviceaccount:kube-system:default",
    "/var/lib/kubelet/pods/9f1c7a52-3f0e-4c19-8d3e-2b7d4f6a8c10/volumes",
    "/usr/lib/x86_64-linux-gnu/libssl.so.1.1",
    "C:\\Program Files\\App\\bin\\app.exe",
    "/api/v1/orders/{orderId}/items",
    "/api/v1/orders/100123/items?page=2&size=50&sort=created,desc",
    "org.springframework.web.servlet.DispatcherServlet",
    "java.util.concurrent.ThreadPoolExecutor$Worker@1f32e575",
    "com.example.shop.OrderService.lambda$create$0(OrderService.java:142)",
    "\tat io.netty.channel.nio.NioEventLoop.run(NioEventLoop.java:562) ~[netty-4.1.107.Final.jar:4.1.107.Final]",
    "std::collections::HashMap<K, V>",
    "core::option::Option<alloc::vec::Vec<u8>>::unwrap",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "kube-probe/1.29",
    "http-nio-8443-exec-17",
    "io.opentelemetry.tomcat-10.0",
    "text/html; charset=utf-8",
    "bytes=0-1023",
    "W/\"33a64df551425fcc55e4d42a148795d9f25f89d4\"",
    "SGVsbG8sIHRoaXMgaXMganVzdCBwbGFpbiBkYXRhLCBub3RoaW5nIHNlY3JldC4=",
    "eyJuYW1lIjoicGxhaW4gZGF0YSJ9",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "CN=orders.example.net,O=Example,C=DE",
    "36:c1:0f:7d:02:aa",
    "fa163e3c0ffe",
    "listening on 0.0.0.0:8080",
    "http://127.0.0.1:9090/metrics",
    "[::1]:4317",
    "dns:///orders:443",
    "unix:///run/containerd/containerd.sock",
    "grpc.health.v1.Health/Check",
    "SELECT id, name FROM orders WHERE id = $1",
    "SELECT o.id FROM orders o JOIN items i ON i.order_id = o.id WHERE o.state = ?",
    "BEGIN",
    "HSET session:{id} field value",
    "Finished reconciling deployment shop/orders in 132.5ms, 3 of 3 replicas are ready",
    "level=info ts=2026-03-14T09:26:53.589Z caller=main.go:142 msg=\"Server is ready\" version=2.53.0",
    "user logged in, token accepted, password unchanged",
    "invalid token: signature has expired",
    "error: unexpected token: '}'",
    "max_tokens=4096 prompt_tokens=512",
    "key=value, sort_key=created, partition_key: 17",
    "Secret \"registry-pull\" not found",
    "failed to mount secret: volume is missing",
    "GC pause 12.5ms, heap 512M->128M(1024M)",
    "--config=/etc/app/config.yaml --v=4",
    "----- end of report -----",
    "a+b=c, i++, ++j, C++17",
    "1,234,567.89 EUR",
    "53.5511,9.9937",
    "日本語のテキスト",
    "emoji 🦀 and ümläuts",
];

/// What all detectors, the national packs too, must leave.
pub const OPT_IN_CLEAN: &[&str] = &[
    "9f1c7a52-3f0e-4c19-8d3e-234123412346",
    "1.111222333",
    "v111222333",
    "2026-03-14T09:26:53.111222333Z",
    "order-20260314-111222334",
    "123456789012",
    "TLS_AES_256_GCM_SHA384",
];
