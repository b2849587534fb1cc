package record

import (
	"net/url"
	"strings"
)

// maxName bounds names that come from outside, in bytes.
const maxName = 1024

// AssetDataset gives an asset's URI the name that OpenLineage gives the dataset:
// file → ("file", path), postgres://host:port/db/schema/table →
// ("postgres://host:port", "db.schema.table"), others by scheme, authority and
// path. SQLite, which OpenLineage does not name, is sqlite:/file.db/table or
// sqlite:/file.db?table=name, else the file itself. What has no scheme is a name
// of Airflow's own. False where there is nothing to name.
func AssetDataset(uri, name string) (Dataset, bool) {
	if uri == "" {
		uri = name
	}
	u, err := url.Parse(uri)
	if err != nil || len(uri) > maxName || uri == "" {
		return Dataset{}, false
	}
	path := u.Path
	if u.Opaque != "" {
		path = u.Opaque
	}
	switch u.Scheme {
	case "":
		return Dataset{Namespace: Kind, Name: uri}, true
	case "file":
		return Dataset{Namespace: "file", Name: path}, path != ""
	case "postgres", "postgresql":
		host := u.Hostname()
		port := u.Port()
		if port == "" {
			port = "5432"
		}
		parts := strings.ReplaceAll(strings.Trim(path, "/"), "/", ".")
		return Dataset{Namespace: "postgres://" + host + ":" + port, Name: parts}, host != "" && parts != ""
	case "sqlite":
		return sqliteDataset("/"+strings.TrimLeft(path, "/"), u.Query().Get("table"))
	}
	trimmed := strings.TrimPrefix(path, "/")
	if trimmed == "" {
		trimmed = "/"
	}
	return Dataset{Namespace: u.Scheme + "://" + u.Host, Name: trimmed}, true
}

func sqliteDataset(path, table string) (Dataset, bool) {
	if table == "" {
		for _, ext := range []string{".db/", ".sqlite/", ".sqlite3/"} {
			if i := strings.LastIndex(path, ext); i >= 0 {
				path, table = path[:i+len(ext)-1], path[i+len(ext):]
				break
			}
		}
	}
	if path == "/" {
		return Dataset{}, false
	}
	if table != "" {
		path += "." + table
	}
	return Dataset{Namespace: "sqlite://", Name: path}, true
}
