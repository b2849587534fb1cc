package graph

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
)

func job(name string) entity.Ref {
	return entity.Ref{Kind: entity.Job, Namespace: "default", Name: name}
}

func table(name string) entity.Ref {
	return entity.Ref{Kind: entity.Dataset, Namespace: "postgres://h:1", Name: name}
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func pipeline() *Graph {
	g := New(100)
	for _, e := range []entity.Edge{
		{From: job("d"), To: job("d.extract"), Relation: entity.Contains},
		{From: job("d"), To: job("d.load"), Relation: entity.Contains},
		{From: job("d.extract"), To: job("d.load"), Relation: entity.Precedes},
		{From: job("d.extract"), To: table("staging"), Relation: entity.Writes},
		{From: table("staging"), To: job("d.load"), Relation: entity.ReadBy},
		{From: job("d.load"), To: table("orders"), Relation: entity.Writes},
		{From: table("orders"), To: job("r.report"), Relation: entity.ReadBy},
	} {
		e.Source, e.LastSeen = "airflow", start
		g.Add(e, time.Hour)
	}
	return g
}

func TestWhatAProblemReaches(t *testing.T) {
	t.Parallel()
	g := pipeline()
	assert.Equal(t, []entity.Ref{table("staging"), job("d.load"), table("orders"), job("r.report")}, g.Downstream(job("d.extract"), 6, 100))
	assert.Equal(t, []entity.Ref{table("staging"), job("d.load")}, g.Downstream(job("d.extract"), 1, 100))
	assert.Len(t, g.Downstream(job("d.extract"), 6, 2), 2)
	assert.Equal(t, []entity.Ref{job("d.load"), table("staging"), job("d.extract")}, g.Upstream(table("orders"), 6, 100))
	assert.Empty(t, g.Downstream(job("d"), 6, 100), "containing is not passing trouble on")
	assert.True(t, g.Reaches(table("staging"), job("r.report"), 3))
	assert.False(t, g.Reaches(table("staging"), job("r.report"), 2))
}

func TestNeighbours(t *testing.T) {
	t.Parallel()
	g := pipeline()
	assert.Equal(t, []entity.Ref{table("orders")}, g.Outputs(job("d.load")))
	assert.Equal(t, []entity.Ref{table("staging")}, g.Inputs(job("d.load")))
	assert.Equal(t, []entity.Ref{job("d.load")}, g.Writers(table("orders")))
	assert.Equal(t, []entity.Ref{job("d.extract")}, g.Before(job("d.load")))
	assert.Equal(t, []entity.Ref{job("d.load")}, g.After(job("d.extract")))
	assert.Equal(t, []entity.Ref{job("d.extract"), job("d.load")}, g.Parts(job("d")))
	assert.Equal(t, job("d"), g.Parent(job("d.load")))
	assert.True(t, g.Parent(job("d")).IsZero())
}

func TestAPlatformPassesTroubleToWhatItContains(t *testing.T) {
	t.Parallel()
	g := pipeline()
	p := entity.Ref{Kind: entity.Platform, Namespace: "airflow", Name: "default"}
	g.Add(entity.Edge{From: p, To: job("d.extract"), Relation: entity.Contains, Source: "airflow", LastSeen: start}, time.Hour)
	assert.Contains(t, g.Downstream(p, 6, 100), table("orders"))
}

func TestEdgesHaveSourcesAndAge(t *testing.T) {
	t.Parallel()
	g := New(2)
	e := entity.Edge{From: job("a"), To: table("t"), Relation: entity.Writes, Source: "airflow", LastSeen: start}
	assert.True(t, g.Add(e, time.Hour))
	assert.False(t, g.Add(e, time.Hour), "known, said again too soon to store")
	e.LastSeen = start.Add(2 * time.Hour)
	assert.True(t, g.Add(e, time.Hour), "worth refreshing")
	second := e
	second.Source = "openlineage"
	assert.True(t, g.Add(second, time.Hour))

	g.Forget("airflow", start.Add(3*time.Hour))
	assert.Equal(t, []entity.Ref{table("t")}, g.Outputs(job("a")), "the other source still says so")
	g.Forget("openlineage", start.Add(3*time.Hour))
	assert.Empty(t, g.Outputs(job("a")))
}

func TestBound(t *testing.T) {
	t.Parallel()
	g := New(1)
	assert.True(t, g.Add(entity.Edge{From: job("a"), To: job("b"), Relation: entity.Precedes}, 0))
	assert.False(t, g.Add(entity.Edge{From: job("b"), To: job("c"), Relation: entity.Precedes}, 0))
	assert.False(t, g.Add(entity.Edge{From: job("b"), To: job("b"), Relation: entity.Precedes}, 0), "nothing is upstream of itself")
	edges, rejected := g.Size()
	assert.Equal(t, 1, edges)
	assert.EqualValues(t, 1, rejected)
}

func TestCyclesEnd(t *testing.T) {
	t.Parallel()
	g := New(10)
	g.Add(entity.Edge{From: job("a"), To: table("t"), Relation: entity.Writes}, 0)
	g.Add(entity.Edge{From: table("t"), To: job("a"), Relation: entity.ReadBy}, 0)
	assert.Equal(t, []entity.Ref{table("t")}, g.Downstream(job("a"), 100, 100))
}
