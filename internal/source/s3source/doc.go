// Package s3source opens s3:// references and, through the S3 interface that COS
// offers beside its own, cos:// references. It also does what ON_DELIVERED asks
// for on the source object. It is the only place that knows the AWS SDK's S3
// client; the two requests of every file it makes out of the SDK's parts.
//
// Every request is tried once: the courier has the only retry loop. What is
// repeated here are the parts of one read (package resume), and a request that
// S3 sends to the bucket's own region.
package s3source
