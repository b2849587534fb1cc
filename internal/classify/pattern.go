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
const maxWords = 24

type pattern struct{ alternatives []alternative }

type alternative struct {
	// words has one that every match contains; empty where nothing is known.
	words []string
	// expression is nil where the word alone is the whole alternative.
	expression *regexp.Regexp
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
		a := alternative{words: needed(tree)}
		if plain := tree.Op == syntax.OpLiteral && tree.Flags&syntax.FoldCase == 0; !plain || len(a.words) != 1 {
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
		if a.possible(text) && (a.expression == nil || a.expression.MatchString(text)) {
			return true
		}
	}
	return false
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
