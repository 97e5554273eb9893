package launcher

import "github.com/hardrun/hardrun/row"

// identity is the file that was opened; nil before that.
type identity = *row.Identity
