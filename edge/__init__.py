"""A CDN edge and origin for live video: RTMP in and out, HTTP-FLV and HLS out."""
