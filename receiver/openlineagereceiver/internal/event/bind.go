package event

import (
	"math"
	"reflect"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// binder fills Go structs from an OTLP value by the structs' `ol:"name"` tags.
// Unknown keys are passed over: they live on in the event's map. Null leaves
// the zero value. A wrong type fails with its path, except below a field
// tagged `lenient`, where it leaves the zero value.
type binder struct {
	path    path
	lenient bool
	skipped bool // the value bound last was passed over
}

type field struct {
	index   []int
	lenient bool
}

// shape is what the binder knows of a struct type.
type shape struct {
	fields map[string]field
	facets bool // every key, known or not, must hold an object
}

// facetSet marks structs whose keys are facets.
type facetSet struct{}

var (
	shapes       sync.Map // reflect.Type to *shape
	facetSetType = reflect.TypeFor[facetSet]()
	valueType    = reflect.TypeFor[pcommon.Value]()
)

func shapeOf(t reflect.Type) *shape {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape)
	}
	s := &shape{fields: map[string]field{}}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue
		}
		s.facets = s.facets || f.Type == facetSetType
		name, option, _ := strings.Cut(f.Tag.Get("ol"), ",")
		if name != "" {
			s.fields[name] = field{index: f.Index, lenient: option == "lenient"}
		}
	}
	actual, _ := shapes.LoadOrStore(t, s)
	return actual.(*shape)
}

func (b *binder) mismatch(want string, v pcommon.Value) error {
	if b.lenient {
		b.skipped = true
		return nil
	}
	return b.path.fail("want " + want + ", got " + kindName(v))
}

func kindName(v pcommon.Value) string {
	switch v.Type() {
	case pcommon.ValueTypeMap:
		return "an object"
	case pcommon.ValueTypeSlice:
		return "an array"
	case pcommon.ValueTypeStr:
		return "a string"
	case pcommon.ValueTypeBool:
		return "a boolean"
	case pcommon.ValueTypeEmpty:
		return "null"
	default:
		return "a number"
	}
}

func (b *binder) bind(v pcommon.Value, dst reflect.Value) error {
	if dst.Type() == valueType {
		dst.Set(reflect.ValueOf(v))
		return nil
	}
	if v.Type() == pcommon.ValueTypeEmpty {
		return nil
	}
	switch dst.Kind() {
	case reflect.Pointer:
		made := reflect.New(dst.Type().Elem())
		b.skipped = false
		if err := b.bind(v, made.Elem()); err != nil {
			return err
		}
		// A structure keeps those of its fields that could be read.
		if !b.skipped || made.Elem().Kind() == reflect.Struct && v.Type() == pcommon.ValueTypeMap {
			dst.Set(made)
		}
	case reflect.Struct:
		if v.Type() != pcommon.ValueTypeMap {
			return b.mismatch("an object", v)
		}
		return b.structure(v.Map(), dst)
	case reflect.Map:
		if v.Type() != pcommon.ValueTypeMap {
			return b.mismatch("an object", v)
		}
		return b.mapping(v.Map(), dst)
	case reflect.Slice:
		if v.Type() != pcommon.ValueTypeSlice {
			return b.mismatch("an array", v)
		}
		return b.list(v.Slice(), dst)
	case reflect.String:
		if v.Type() != pcommon.ValueTypeStr {
			return b.mismatch("a string", v)
		}
		dst.SetString(v.Str())
	case reflect.Bool:
		if v.Type() != pcommon.ValueTypeBool {
			return b.mismatch("a boolean", v)
		}
		dst.SetBool(v.Bool())
	case reflect.Int64:
		return b.integer(v, dst)
	case reflect.Float64:
		switch v.Type() {
		case pcommon.ValueTypeInt:
			dst.SetFloat(float64(v.Int()))
		case pcommon.ValueTypeDouble:
			dst.SetFloat(v.Double())
		default:
			return b.mismatch("a number", v)
		}
	default:
		panic("event: no binding for " + dst.Type().String())
	}
	return nil
}

// integer also takes 10.0, which senders in dynamic languages write.
func (b *binder) integer(v pcommon.Value, dst reflect.Value) error {
	switch v.Type() {
	case pcommon.ValueTypeInt:
		dst.SetInt(v.Int())
	case pcommon.ValueTypeDouble:
		f := v.Double()
		if f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
			return b.mismatch("a whole number of 64 bits", v)
		}
		dst.SetInt(int64(f))
	default:
		return b.mismatch("a whole number", v)
	}
	return nil
}

func (b *binder) structure(m pcommon.Map, dst reflect.Value) error {
	s := shapeOf(dst.Type())
	for key, v := range m.All() {
		f, known := s.fields[key]
		if !known && !s.facets {
			continue
		}
		b.path.key(key)
		if s.facets && !f.lenient && v.Type() != pcommon.ValueTypeMap && v.Type() != pcommon.ValueTypeEmpty {
			return b.mismatch("an object, as every facet is", v)
		}
		if known {
			outer := b.lenient
			b.lenient = outer || f.lenient
			if err := b.bind(v, dst.FieldByIndex(f.index)); err != nil {
				return err
			}
			b.lenient = outer
		}
		b.path.pop()
	}
	return nil
}

func (b *binder) mapping(m pcommon.Map, dst reflect.Value) error {
	out := reflect.MakeMapWithSize(dst.Type(), m.Len())
	for key, v := range m.All() {
		b.path.key(key)
		made := reflect.New(dst.Type().Elem()).Elem()
		if err := b.bind(v, made); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(key), made)
		b.path.pop()
	}
	dst.Set(out)
	return nil
}

func (b *binder) list(s pcommon.Slice, dst reflect.Value) error {
	out := reflect.MakeSlice(dst.Type(), s.Len(), s.Len())
	for i := range s.Len() {
		b.path.at(i)
		if err := b.bind(s.At(i), out.Index(i)); err != nil {
			return err
		}
		b.path.pop()
	}
	dst.Set(out)
	return nil
}
