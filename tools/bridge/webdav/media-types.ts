/** Media types by the end of a name: enough for a browser to show what it can. */
const types: Record<string, string> = {
    css: "text/css",
    csv: "text/csv",
    gif: "image/gif",
    htm: "text/html",
    html: "text/html",
    jpeg: "image/jpeg",
    jpg: "image/jpeg",
    js: "text/javascript",
    json: "application/json",
    md: "text/markdown",
    mp3: "audio/mpeg",
    mp4: "video/mp4",
    pdf: "application/pdf",
    png: "image/png",
    svg: "image/svg+xml",
    txt: "text/plain",
    wav: "audio/wav",
    webp: "image/webp",
    xml: "application/xml",
    zip: "application/zip",
}

export function mediaType(name: string): string {
    const dot = name.lastIndexOf(".")
    return (dot > 0 && types[name.slice(dot + 1).toLowerCase()]) || "application/octet-stream"
}
