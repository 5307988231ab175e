// Package s3source opens s3:// references and, through COS's S3 interface, cos://
// references. It also does what ON_DELIVERED asks for on the source object. It is the
// only place that knows the AWS SDK's S3 client.
//
// GET and HEAD of an object are built here from the SDK's parts, because the whole
// SDK takes 0.3 ms of CPU more for each file (measured with 10 kB files).
//
// A request is tried once: package delivery has the retry loop. Three things are
// repeated here: the parts of one read (package resume), a request that S3 sends to
// the bucket's own region, and a request that was signed with a wrong clock.
package s3source
