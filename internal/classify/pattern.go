package classify

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"
)

// Conditions are mostly long alternatives of expressions, of which few have any
// part in common with a text. A pattern is therefore taken apart when it is
// compiled: for each alternative it is known which words a text that matches must
// have, and only where one of them is there the expression itself runs.

// says is the function that takes the place of the operator "matches".
const says = "__says"

// maxWords bounds the words of one alternative; with more it is tried always.
const maxWords = 96

type pattern struct{ alternatives []alternative }

type alternative struct {
	// words has one that every match contains; empty where nothing is known.
	words []string
	// expression is nil where the word alone is the whole alternative, which must
	// begin and end a word of the text where before and after say so.
	expression    *regexp.Regexp
	before, after bool
}

func newPattern(source string) (*pattern, error) {
	if _, err := regexp.Compile(source); err != nil {
		return nil, err
	}
	p := &pattern{}
	for _, part := range alternatives(source) {
		tree, err := syntax.Parse(part, syntax.Perl)
		if err != nil {
			return nil, err
		}
		a, plain := word(tree)
		if !plain {
			a = alternative{words: needed(tree)}
			if a.expression, err = regexp.Compile(part); err != nil {
				return nil, err
			}
		}
		p.alternatives = append(p.alternatives, a)
	}
	return p, nil
}

func (p *pattern) match(text string) bool {
	for i := range p.alternatives {
		a := &p.alternatives[i]
		if a.possible(text) && (a.expression != nil && a.expression.MatchString(text) || a.expression == nil && a.stands(text)) {
			return true
		}
	}
	return false
}

// stands reports whether the word is in text with its ends where they must be.
func (a *alternative) stands(text string) bool {
	w := a.words[0]
	for from := 0; ; {
		at := strings.Index(text[from:], w)
		if at < 0 {
			return false
		}
		at += from
		end := at + len(w)
		if (!a.before || at == 0 || wordy(text[at-1]) != wordy(w[0])) && (!a.after || end == len(text) || wordy(text[end]) != wordy(w[len(w)-1])) {
			return true
		}
		from = at + 1
	}
}

func wordy(c byte) bool { return letter(c) || digit(c) || c == '_' }

// word takes an alternative that is nothing but a word, with or without \b at its ends.
func word(tree *syntax.Regexp) (a alternative, ok bool) {
	parts := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpConcat {
		parts = tree.Sub
	}
	if len(parts) > 1 && parts[0].Op == syntax.OpWordBoundary {
		a.before, parts = true, parts[1:]
	}
	if len(parts) > 1 && parts[len(parts)-1].Op == syntax.OpWordBoundary {
		a.after, parts = true, parts[:len(parts)-1]
	}
	if len(parts) != 1 || parts[0].Op != syntax.OpLiteral || parts[0].Flags&syntax.FoldCase != 0 {
		return alternative{}, false
	}
	a.words = []string{string(parts[0].Rune)}
	// At the ends of the text a boundary needs a letter or digit of the word.
	first, last := a.words[0][0], a.words[0][len(a.words[0])-1]
	return a, (!a.before || wordy(first)) && (!a.after || wordy(last))
}

func (a *alternative) possible(text string) bool {
	for _, w := range a.words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return len(a.words) == 0
}

// alternatives splits an expression at the bars that are in no group. With flags,
// which reach beyond a bar, it stays whole.
func alternatives(source string) []string {
	if strings.Contains(strings.ReplaceAll(source, "(?:", ""), "(?") || strings.Contains(source, `\Q`) {
		return []string{source}
	}
	var parts []string
	for _, part := range split(source) {
		// What stands in one group between boundaries is as good as alternatives.
		head, rest := "", part
		if strings.HasPrefix(rest, `\b`) {
			head, rest = `\b`, rest[2:]
		}
		tail := ""
		if strings.HasSuffix(rest, `)\b`) {
			tail, rest = `\b`, rest[:len(rest)-2]
		}
		if inner, ok := group(rest); ok {
			for _, each := range alternatives(inner) {
				parts = append(parts, head+"(?:"+each+")"+tail)
			}
			continue
		}
		parts = append(parts, part)
	}
	return parts
}

// group is the inside of an expression that is one group.
func group(source string) (string, bool) {
	inner, ok := strings.CutPrefix(source, "(")
	if inner, ok = strings.TrimSuffix(inner, ")"), ok && strings.HasSuffix(inner, ")"); !ok {
		return "", false
	}
	inner = strings.TrimPrefix(inner, "?:")
	_, err := syntax.Parse(inner, syntax.Perl)
	return inner, err == nil && !strings.HasSuffix(inner, `\`)
}

// split cuts at the bars that are in no group and no class.
func split(source string) []string {
	var parts []string
	depth, class, from := 0, false, 0
	for i := 0; i < len(source); i++ {
		switch c := source[i]; {
		case c == '\\':
			i++
		case class:
			// A bracket that comes first in a class is one of its characters.
			class = c != ']' || source[i-1] == '[' || source[i-1] == '^' && source[i-2] == '['
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth == 0:
			parts = append(parts, source[from:i])
			from = i + 1
		}
	}
	return append(parts, source[from:])
}

// needed are words of which every match of the expression contains one.
func needed(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 && len(re.Rune) > 1 {
			return []string{string(re.Rune)}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return needed(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needed(re.Sub[0])
		}
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			words := needed(sub)
			if words == nil || len(all)+len(words) > maxWords {
				return nil
			}
			all = append(all, words...)
		}
		return all
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if words := needed(sub); worth(words) > worth(best) {
				best = words
			}
		}
		return best
	}
	return nil
}

// worth is how much is saved by looking for words first: few and long ones save most.
func worth(words []string) int {
	if len(words) == 0 {
		return -1
	}
	shortest := len(words[0])
	for _, w := range words {
		shortest = min(shortest, len(w))
	}
	return 100*shortest - 5*len(words)
}

// patterns replaces "matches" with a constant on its right.
type patterns struct{ err error }

// Visit implements ast.Visitor.
func (p *patterns) Visit(node *ast.Node) {
	n, ok := (*node).(*ast.BinaryNode)
	if !ok || n.Operator != "matches" {
		return
	}
	source, ok := n.Right.(*ast.StringNode)
	if !ok {
		return
	}
	compiled, err := newPattern(source.Value)
	if err != nil {
		p.err = fmt.Errorf("matches %q: %w", source.Value, err)
		return
	}
	ast.Patch(node, &ast.CallNode{Callee: &ast.IdentifierNode{Value: says}, Arguments: []ast.Node{n.Left, &ast.ConstantNode{Value: compiled}}})
}

func compile(when string) (*vm.Program, error) {
	p := &patterns{}
	program, err := expr.Compile(when, expr.Env(Environment{}), expr.AsBool(), expr.MaxNodes(2000), expr.Patch(p),
		expr.Function(says, func(params ...any) (any, error) {
			return params[1].(*pattern).match(params[0].(string)), nil //nolint:forcetypeassert // the compiler checks the types below
		}, new(func(string, *pattern) bool)))
	if p.err != nil {
		return nil, p.err
	}
	return program, err
}
