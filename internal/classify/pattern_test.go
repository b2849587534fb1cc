package classify

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A pattern must find what the expression itself finds.
func TestPatternIsTheExpression(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		`disk full|\bend\b|a.c`, `\b(disk|full|no space)\b`, `(ab|cd) (ef|gh)`, `[|)(]x|y`, `[]|]x|[^]|]y`, `a\|b|\(c`, `(?i)DISK|full`, `^disk$|full$`,
		`\bé|disk`, `(a)|(b)`, `x{2,}|y?`, `((no|low) (disk|space))`, `(?:disk|full)+ disk`, `\b(a_b|-x-)\b`, `(disk|full|)\b`,
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			want := regexp.MustCompile(source)
			p, err := newPattern(source)
			require.NoError(t, err)
			words := rapid.SampledFrom([]string{"disk", "full", "no space", "end", "a", "b", "c", "x", "y", "|", "(", ")", "é", "_", "-x-", "a_b", "ab", "ef", " ", "DISK", "low", "\n"})
			rapid.Check(t, func(t *rapid.T) {
				text := strings.Join(rapid.SliceOfN(words, 0, 6).Draw(t, "words"), rapid.SampledFrom([]string{"", " "}).Draw(t, "between"))
				assert.Equal(t, want.MatchString(text), p.match(text), text)
			})
		})
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for want, of := range map[string][2]string{
		" no such bucket exception ":             {"NoSuchBucketException", ""},
		" client error ; no such bucket ":        {"ClientError", "An error occurred (NoSuchBucket) when"},
		" x ; path not found ":                   {"x", "[PATH_NOT_FOUND] order_id is missing"},
		" sql syntax error ; hive conf missing ": {"SQLSyntaxError", "HiveConfMissing"},
		" e ":                                    {"E", "words, A and B of /SomeFile stay"},
	} {
		assert.Equal(t, want, names(of[0], of[1]), of)
	}
}
