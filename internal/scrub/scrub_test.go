package scrub_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/scrub"
)

func TestSecretsAreRemovedAndTheRestIsKept(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		gone     []string
		kept     []string
	}{
		{"url", `could not connect to postgresql://etl:hun/ter2@db.internal:5432/wh`, []string{"hun", "ter2", "etl:"}, []string{"db.internal:5432"}},
		{"url with @ in password", `redis://:p@ss@cache:6379/0 refused`, []string{"p@ss"}, []string{"cache:6379/0 refused"}},
		{"token as user", `fatal: https://ghx123@github.com/a/b.git/`, []string{"ghx123"}, []string{"github.com/a/b.git"}},
		{"port and e-mail", `GET http://api:8080/users/bob@example.com 404`, []string{"bob"}, []string{"http://api:8080/users/", "404"}},
		{"mysql dsn", `open root:s3cr@t@tcp(db:3306)/wh: refused`, []string{"s3cr", "root"}, []string{"tcp(db:3306)/wh: refused"}},
		{"oracle", `jdbc:oracle:thin:scott/tiger@db:1521/XE`, []string{"tiger"}, []string{"db:1521/XE"}},
		{"libpq", `connection to host=db port=5432 password='a b c' dbname=wh failed`, []string{"a b c"}, []string{"host=db", "port=5432", "dbname=wh failed"}},
		{"json", `{"user":"etl","password":"hun\"ter2","port":5432}`, []string{"hun", "ter2"}, []string{`"port":5432`}},
		{"escaped json", `body: "{\"api_key\": \"abcd1234\", \"region\": \"eu\"}"`, []string{"abcd1234"}, []string{`region`}},
		{"yaml", "conn:\n  password: correct horse battery\n  host: db", []string{"correct", "horse", "battery"}, []string{"host: db"}},
		{"python dict", `{'client_secret': 'zzz9', 'tenant': 'x'}`, []string{"zzz9"}, []string{"tenant"}},
		{"azure", `DefaultEndpointsProtocol=https;AccountName=lake;AccountKey=Zm9vYmFy==;EndpointSuffix=core.windows.net`, []string{"Zm9vYmFy"}, []string{"AccountName=lake", "core.windows.net"}},
		{"ado", `Server=sql1;Database=wh;User Id=sa;Password=P@ss w0rd!;Encrypt=yes`, []string{"P@ss"}, []string{"Server=sql1", "Encrypt=yes"}},
		{"environment", `PGPASSWORD=hunter2 AWS_SECRET_ACCESS_KEY=abc123 psql -h db`, []string{"hunter2", "abc123"}, []string{"psql -h db"}},
		{"bearer", `Authorization: Bearer abc.def-123` + "\nHTTP 401", []string{"abc.def"}, []string{"HTTP 401"}},
		{"basic in dict", `headers={'Authorization': 'Basic dXNlcjpwYXNz', 'Accept': 'x'}`, []string{"dXNlcjpwYXNz"}, []string{"Accept"}},
		{"bare bearer", `sent Bearer 9f8e7d6c5b to api`, []string{"9f8e7d6c5b"}, []string{"to api"}},
		{"flag", `dbt run --token dbtu_xyz --target prod`, []string{"dbtu_xyz"}, []string{"--target prod"}},
		{"mysql -p", `mysqldump -uroot -phunter2 wh exited with 2`, []string{"hunter2"}, []string{"exited with 2"}},
		{"curl -u", `curl -s -u bob:pw1 https://x.example/ returned 22`, []string{"bob", "pw1"}, []string{"returned 22"}},
		{"aws", `AKIAIOSFODNN7EXAMPLE is not authorized (AccessDenied)`, []string{"AKIA"}, []string{"AccessDenied"}},
		{"github", `token ghp_0123456789abcdefghijABCDEFGHIJ012345 rejected`, []string{"ghp_"}, []string{"rejected"}},
		{"slack", `xoxb-123456789-abcdef and https://hooks.slack.com/services/T0/B0/xyz`, []string{"xoxb", "T0/B0"}, []string{"hooks.slack.com"}},
		{"stripe", `Invalid API Key provided: sk_live_abcdefghijkl`, []string{"abcdefghijkl"}, []string{"Invalid API Key provided"}},
		{"jwt", `jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_1 expired`, []string{"eyJ", "abc-_1"}, []string{"expired"}},
		{"pem", "key -----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY----- bad", []string{"MIIE", "abc"}, []string{"bad"}},
		{"cut pem", "x -----BEGIN PRIVATE KEY-----\nMIIEabc", []string{"MIIE"}, []string{"x "}},
		{"query", `GET https://lake.blob/x.csv?sv=2020&sig=a%2Fb&part=3 403`, []string{"a%2Fb"}, []string{"lake.blob/x.csv", "part=3 403"}},
		{"card", `charge 4111 1111 1111 1111 declined`, []string{"4111", "1111"}, []string{"declined"}},
		{"card in name", `row_4111111111111111_x`, []string{"4111111111111111"}, nil},
		{"ssn", `ssn 078-05-1120 is bad`, []string{"078-05"}, []string{"bad"}},
		{"e-mail", `user alice.b+x@example.co.uk missing`, []string{"alice", "example.co"}, []string{"missing"}},
		{"iban", `from GB82 WEST 1234 5698 7654 32 failed`, []string{"WEST", "7654"}, []string{"failed"}},
		{"mrn", `MRN: 12345 and medical record number A-77812 not found`, []string{"12345", "77812"}, []string{"not found"}},
		{"pg unique", `duplicate key value violates unique constraint "users_email_key"` + "\nDETAIL:  Key (email, name)=(x(y), Bob) already exists.", []string{"x(y)", "Bob"}, []string{"users_email_key", "(email, name)", "already exists"}},
		{"pg exclusion", `Key (a)=(11) conflicts with existing key (a)=(22).`, []string{"11", "22"}, []string{"conflicts with existing key (a)"}},
		{"pg row", "null value in column \"id\"\nDETAIL:  Failing row contains (7, Bob (CEO), 1980-01-01).\nCONTEXT: x", []string{"Bob", "1980"}, []string{`column "id"`, "CONTEXT: x"}},
		{"pg type", `invalid input syntax for type integer: "Bob"` + "\nSQLSTATE 22P02", []string{"Bob"}, []string{"type integer", "22P02"}},
		{"pg copy", `CONTEXT:  COPY orders, line 3, column amount: "12,Bob"`, []string{"Bob"}, []string{"COPY orders, line 3, column amount"}},
		{"mysql unique", `(1062, "Duplicate entry 'bob@x.de' for key 'users.email'")`, []string{"bob"}, []string{"1062", "for key 'users.email'"}},
		{"mysql value", `Incorrect integer value: 'Bob' for column 'age' at row 1`, []string{"Bob"}, []string{"column 'age'"}},
		{"sqlalchemy", "[SQL: INSERT INTO t (a) VALUES ('Bob')]\n[parameters: {'a': 'Bob'}]\n(Background on this error at: https://sqlalche.me/e/20/gkpj)", []string{"Bob"}, []string{"INSERT INTO t (a)", "gkpj"}},
		{"python value", `ValueError: could not convert string to float: 'Bob'`, []string{"Bob"}, []string{"ValueError"}},
		{"python int", `ValueError: invalid literal for int() with base 10: '12x'`, []string{"12x"}, []string{"base 10"}},
		{"java number", `java.lang.NumberFormatException: For input string: "Bob"`, []string{"Bob"}, []string{"NumberFormatException"}},
		{"hex", `digest 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 differs`, []string{"9f86"}, []string{"differs"}},
		{"base64", `got wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY there`, []string{"wJalr"}, []string{"there"}},
		{"colours", "\x1b[31mERROR\x1b[0m done", []string{"\x1b", "[31m"}, []string{"ERROR done"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := scrub.Text(tt.in, 2048)
			for _, g := range tt.gone {
				assert.NotContains(t, got, g)
			}
			for _, k := range tt.kept {
				assert.Contains(t, got, k)
			}
			assert.Equal(t, got, scrub.Text(got, 2048))
		})
	}
}

func TestWhatSaysWhatFailedStays(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		`requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: http://api.internal:8080/v1/orders?page=3`,
		`FATAL:  password authentication failed for user "etl" (SQLSTATE 28P01)`,
		`botocore.exceptions.ClientError: An error occurred (ExpiredToken) when calling the PutObject operation: The provided token has expired.`,
		`ExpiredToken: The security token included in the request is expired`,
		`KeyError: 'customer_id'`,
		`  File "/opt/airflow/dags/team/orders_daily_incremental_load_v2.py", line 42, in transform_all_the_things`,
		`/usr/local/lib/python3.12/site-packages/airflow/providers/common/sql/operators/sql.py:282`,
		`org.springframework.aop.framework.AbstractSingletonProxyFactoryBean$$EnhancerBySpringCGLIB`,
		`run 0198f3c2-7b1e-7c55-9a0d-1f2e3d4c5b6a of scheduled__2026-11-24T08:00:00+00:00 failed at 1764000000000`,
		`psycopg2.errors.UndefinedColumn: column "amuont" does not exist`,
		`deadlock detected: Process 12 waits for ShareLock on transaction 7; blocked by process 9.`,
		`Bash command failed. The command returned a non-zero exit code 137.`,
		`invalid_grant: Token has been expired or revoked.`,
		`basic authentication failed, bearer authentication required`,
		`ssl.SSLCertVerificationError: certificate verify failed: certificate has expired (_ssl.c:1007)`,
	} {
		assert.Equal(t, in, scrub.Text(in, 2048))
	}
}

func TestLongTextIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	got := scrub.Text(strings.Repeat("ä", 5000), 101)
	assert.LessOrEqual(t, len(got), 101)
	assert.True(t, utf8.ValidString(got))
	assert.True(t, strings.HasSuffix(got, "ä…"))
	assert.Empty(t, scrub.Text("abc", 0))
	assert.Empty(t, scrub.Text("abcd", 2))
	assert.Equal(t, "abc", scrub.Text("abc", 3))
	// Nothing was cut off that the reader would not know of.
	assert.True(t, strings.HasSuffix(scrub.Text("password="+strings.Repeat("x", 100_000), 64), "…"))
}

func TestASecretAcrossTheLimitDoesNotLeakItsHead(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a ", 40) + "4111111111111111 and ghp_0123456789abcdefghijABCDEFGHIJ012345"
	for limit := range len(text) {
		got := scrub.Text(text, limit)
		assert.NotContains(t, got, "4111", "limit %d", limit)
		assert.NotContains(t, got, "ghp_", "limit %d", limit)
	}
}

// fragments are what secrets are made of, so that random texts meet the rules.
var fragments = []string{
	"password", "=", ":", " ", "\"", "'", "***", "://", "@", "host", ".com", "token", "Bearer ", "AKIAIOSFODNN7EXAMPLE", "\n",
	"Key (a)=(", ")", " already exists", "Failing row contains (", ").", "4111111111111111", "-----BEGIN KEY-----", "ghp_aaaaaaaaaaaa",
	"eyJhbGciOi", "0123456789abcdef0123456789abcdef", "…", "ä", "\x1b[31m", "MRN", "12", "--token ", "[parameters: ", "'x' for key", "Duplicate entry '",
	"values ('a", "\\", "{", "}", "&sig=", "?", "invalid input syntax for type int: ", "-", "a", "Z9", "\xff", "authorization",
}

func TestScrubbingTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(fragments), rapid.String()), 0, 40).Draw(t, "parts"), "")
		limit := rapid.IntRange(0, 400).Draw(t, "limit")
		check(t, text, limit)
	})
}

func check(t require.TestingT, text string, limit int) {
	got := scrub.Text(text, limit)
	require.LessOrEqual(t, len(got), max(limit, 0))
	require.True(t, utf8.ValidString(got))
	require.Equal(t, got, scrub.Text(got, limit))
}

func FuzzText(f *testing.F) {
	f.Add(strings.Join(fragments, ""), 300)
	for _, p := range fragments {
		f.Add(p+p, 20)
	}
	f.Fuzz(func(t *testing.T, text string, limit int) { check(t, text, limit%10_000) })
}

func BenchmarkText(b *testing.B) {
	trace := strings.Repeat("  File \"/opt/airflow/dags/orders.py\", line 42, in load\n    rows = fetch(url, retries=3)\n", 80) +
		"requests.exceptions.HTTPError: 503 Server Error for url: http://api:8080/orders"
	b.SetBytes(int64(len(trace)))
	b.ReportAllocs()
	for b.Loop() {
		scrub.Text(trace, 8192)
	}
}
