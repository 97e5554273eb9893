// Package dirs makes what a service needs outside of its processes, before they are started,
// and takes it away when they have ended: directories (RuntimeDirectory= and the like), users
// that are chosen for one run (DynamicUser=), sockets, files and credentials, and the objects
// of IPC that are left behind.
//
//	made, err := dirs.Make(dirs.Root{}, []dirs.Directory{{
//		Directive: "StateDirectory", Base: "/var/lib", Name: "named", Mode: 0o750, UID: 33, GID: 33,
//	}})
//
// It runs as root in places that belong to the service's user in part. So it works by
// descriptors of directories, follows no link that this user could have made, leaves no mount,
// and gives away no file that has names elsewhere. The package is a leaf.
package dirs
