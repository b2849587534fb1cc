package series

// Reason says in what way a series is anomalous.
type Reason uint8

// The closed list of reasons.
const (
	NoReason Reason = iota
	Spike
	Drop
	LevelShift
	Trend
	Shape
	Season
	Gap
	Flatline
)

var reasonNames = [...]string{"", "spike", "drop", "level_shift", "trend", "shape", "season", "gap", "flatline"}

// String returns the reason as the vocabulary spells it.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return ""
}

// Status says what became of a point.
type Status uint8

// What becomes of a point.
const (
	// Learning: the series has too few points to say anything; the point was learned.
	Learning Status = iota
	// Scored: the point was scored and learned.
	Scored
	// Repeated: the point was seen before. Its verdict, if it had one, is returned again; nothing was learned.
	Repeated
	// Late: the point is older than the last one. It was neither scored nor learned.
	Late
	// Invalid: the value is not a number, or greater than 1e150 in magnitude. It was neither scored nor learned.
	Invalid
	// Primed: the point only gives a counter its starting value.
	Primed
)

// Result is what a Series says of one point.
type Result struct {
	Status Status
	// Active is true while the series is anomalous.
	Active bool
	// Raised is true on the point that begins an episode.
	Raised bool
	// Recovered is true on the point that ends an episode.
	Recovered bool
	// Adopted is true on a recovery that made the new level the expected one.
	Adopted bool
	// Reset is true where a counter started again.
	Reset bool
	// Ready is true on the one point with which the series leaves its warm-up.
	Ready  bool
	Reason Reason
	// Onset is the time of the first point of the episode, in ns since the Unix epoch.
	Onset int64
	// Time is the time of the scored point, in ns since the Unix epoch.
	Time int64
	// Score is the surprise of the point: −log10 of its tail probability.
	Score float64
	// Value is what was scored: the value itself, or a rate for counters.
	Value float64
	// Expected is the value that was expected, Lower and Upper the ends of its band.
	Expected, Lower, Upper float64
}

// Verdict reports whether the result is to be told: while active, and once at recovery.
func (r *Result) Verdict() bool { return r.Active || r.Recovered }

// Point is one observation.
type Point struct {
	// Time in ns since the Unix epoch.
	Time  int64
	Value float64
	// Tag tells apart observations of one time, such as two loads of one table; 0 where there is only one.
	Tag uint32
}
