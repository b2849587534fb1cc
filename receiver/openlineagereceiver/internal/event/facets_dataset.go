package event

import "go.opentelemetry.io/collector/pdata/pcommon"

// DatasetFacets are the facets of a dataset.
type DatasetFacets struct {
	_                    facetSet
	Catalog              *Catalog              `ol:"catalog"`
	ColumnLineage        *ColumnLineage        `ol:"columnLineage"`
	DataQualityMetrics   *DataQualityMetrics   `ol:"dataQualityMetrics"`
	Assertions           *Assertions           `ol:"dataQualityAssertions"`
	DataSource           *DataSource           `ol:"dataSource"`
	DatasetType          *DatasetType          `ol:"datasetType"`
	Documentation        *Documentation        `ol:"documentation"`
	Hierarchy            *Hierarchy            `ol:"hierarchy"`
	LifecycleStateChange *LifecycleStateChange `ol:"lifecycleStateChange"`
	Lineage              *DatasetLineage       `ol:"lineage"`
	Ownership            *Ownership            `ol:"ownership"`
	Schema               *Schema               `ol:"schema"`
	Storage              *Storage              `ol:"storage"`
	Symlinks             *Symlinks             `ol:"symlinks"`
	Tags                 *Tags                 `ol:"tags"`
	Version              *Version              `ol:"version"`
}

// InputFacets are of one reading of a dataset.
type InputFacets struct {
	_                  facetSet
	Assertions         *Assertions         `ol:"dataQualityAssertions"`
	DataQualityMetrics *DataQualityMetrics `ol:"dataQualityMetrics"`
	Statistics         *Statistics         `ol:"inputStatistics"`
	Subset             *Subset             `ol:"subset"`
}

// OutputFacets are of one writing of a dataset.
type OutputFacets struct {
	_          facetSet
	Statistics *Statistics `ol:"outputStatistics"`
	Subset     *Subset     `ol:"subset"`
}

// Catalog is where the dataset is registered.
type Catalog struct {
	Base
	Framework    string                   `ol:"framework"`
	Type         string                   `ol:"type"`
	Name         string                   `ol:"name"`
	MetadataURI  string                   `ol:"metadataUri"`
	WarehouseURI string                   `ol:"warehouseUri"`
	Source       string                   `ol:"source"`
	Properties   map[string]pcommon.Value `ol:"catalogProperties"`
}

// ColumnLineage says which fields each field is made of.
type ColumnLineage struct {
	Base
	Fields map[string]struct {
		InputFields               []InputField `ol:"inputFields"`
		TransformationDescription string       `ol:"transformationDescription"`
		TransformationType        string       `ol:"transformationType"`
	} `ol:"fields"`
	Dataset []InputField `ol:"dataset"`
}

// InputField is a field that another one is made of.
type InputField struct {
	Identifier
	Field           string           `ol:"field"`
	Transformations []Transformation `ol:"transformations"`
}

// DataQualityMetrics are counts and aggregates. Sums, extremes and quantiles
// are numbers in the schema; some producers write text, which is left out.
type DataQualityMetrics struct {
	Base
	RowCount    *int64                  `ol:"rowCount"`
	Bytes       *int64                  `ol:"bytes"`
	FileCount   *int64                  `ol:"fileCount"`
	LastUpdated string                  `ol:"lastUpdated"`
	Columns     map[string]ColumnMetric `ol:"columnMetrics"`
}

// ColumnMetric is of one column.
type ColumnMetric struct {
	NullCount     *int64             `ol:"nullCount"`
	DistinctCount *int64             `ol:"distinctCount"`
	Count         *float64           `ol:"count"`
	Sum           *float64           `ol:"sum,lenient"`
	Min           *float64           `ol:"min,lenient"`
	Max           *float64           `ol:"max,lenient"`
	Quantiles     map[string]float64 `ol:"quantiles"`
}

// Assertions are results of checks.
type Assertions struct {
	Base
	Assertions []struct {
		Assertion string `ol:"assertion"`
		Success   bool   `ol:"success"`
		Column    string `ol:"column"`
		Severity  string `ol:"severity"`
		Name      string `ol:"name"`
		Described
	} `ol:"assertions"`
}

// DataSource is where the dataset lies.
type DataSource struct {
	Base
	Name string `ol:"name"`
	URI  string `ol:"uri"`
}

// DatasetType is TABLE, VIEW, FILE, …
type DatasetType struct {
	Base
	Type    string `ol:"datasetType"`
	SubType string `ol:"subType"`
}

// Hierarchy is the dataset's place, from the highest level down.
type Hierarchy struct {
	Base
	Levels []struct {
		Type string `ol:"type"`
		Name string `ol:"name"`
	} `ol:"hierarchy"`
}

// LifecycleStateChange is ALTER, CREATE, DROP, OVERWRITE, RENAME or TRUNCATE.
type LifecycleStateChange struct {
	Base
	Change   string      `ol:"lifecycleStateChange"`
	Previous *Identifier `ol:"previousIdentifier"`
}

// DatasetLineage is what a dataset is made of.
type DatasetLineage struct {
	Base
	Inputs []LineageInput          `ol:"inputs"`
	Fields map[string]LineageField `ol:"fields"`
}

// Schema lists the dataset's fields.
type Schema struct {
	Base
	Fields []SchemaField `ol:"fields"`
}

// SchemaField is a field, nested ones in Fields.
type SchemaField struct {
	Name        string        `ol:"name"`
	Type        string        `ol:"type"`
	Description string        `ol:"description"`
	Position    int64         `ol:"ordinal_position"`
	Fields      []SchemaField `ol:"fields"`
}

// Storage is how the dataset is stored.
type Storage struct {
	Base
	Layer  string `ol:"storageLayer"`
	Format string `ol:"fileFormat"`
}

// Symlinks are the dataset's other names.
type Symlinks struct {
	Base
	Identifiers []struct {
		Identifier
		Type string `ol:"type"`
	} `ol:"identifiers"`
}

// Version of the dataset.
type Version struct {
	Base
	Version string `ol:"datasetVersion"`
}

// Statistics are of what one run read from or wrote to a dataset.
type Statistics struct {
	Base
	RowCount  *int64 `ol:"rowCount"`
	Size      *int64 `ol:"size"`
	FileCount *int64 `ol:"fileCount"`
}

// Subset is the part of a dataset that was read or written.
type Subset struct {
	Base
	Input  *Condition `ol:"inputCondition"`
	Output *Condition `ol:"outputCondition"`
}

// Condition is one of location, partition, binary and compare, told apart by
// Type. The sides of a compare and of a binary condition share Left and Right.
type Condition struct {
	Type       string   `ol:"type"`
	Locations  []string `ol:"locations"`
	Partitions []struct {
		Identifier string                   `ol:"identifier"`
		Dimensions map[string]pcommon.Value `ol:"dimensions"`
	} `ol:"partitions"`
	Left       *Condition `ol:"left"`
	Right      *Condition `ol:"right"`
	Operator   string     `ol:"operator"`
	Comparison string     `ol:"comparison"`
	Field      string     `ol:"field"`
	Value      string     `ol:"value"`
}
