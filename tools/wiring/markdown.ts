// The little of Markdown that docs/WIRING.md uses, as HTML: headings, paragraphs, lists, tables, code, emphasis, comments.

export function htmlOf(markdown: string): string {
    return markdown
        .split(/\n{2,}/)
        .map(block => blockOf(block.trim()))
        .join("\n")
}

function blockOf(block: string): string {
    if (block.startsWith("<!--")) return block
    const heading = /^(#{1,4}) (.*)$/.exec(block)
    if (heading) return `<h${heading[1].length}>${inline(heading[2])}</h${heading[1].length}>`
    if (block.startsWith("```")) return `<pre>${escape(block.split("\n").slice(1, -1).join("\n"))}</pre>`
    const lines = block.split("\n")
    if (block.startsWith("|")) {
        const rows = lines.filter(line => !/^\|[-| ]+\|$/.test(line)).map(line => line.slice(1, -1).split("|"))
        return `<table>${rows
            .map(
                (row, i) =>
                    `<tr>${row.map(cell => `<${i ? "td" : "th"}>${inline(cell.trim())}</${i ? "td" : "th"}>`).join("")}</tr>`,
            )
            .join("")}</table>`
    }
    const item = /^(\d+\.|-) /
    if (item.test(block)) {
        const tag = block.startsWith("-") ? "ul" : "ol"
        const items: string[] = []
        for (const line of lines)
            if (item.test(line)) items.push(line.replace(item, ""))
            else items[items.length - 1] += ` ${line.trim()}`
        return `<${tag}>${items.map(text => `<li>${inline(text)}</li>`).join("")}</${tag}>`
    }
    return `<p>${inline(block)}</p>`
}

const escape = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

const inline = (text: string) =>
    escape(text)
        .replace(/`([^`]+)`/g, "<code>$1</code>")
        .replace(/\*\*([^*]+)\*\*/g, "<b>$1</b>")
        .replace(/\*([^*]+)\*/g, "<i>$1</i>")
        .replace(/\[([^\]]+)\]\(([^)]+)\)/g, '<a href="$2">$1</a>')
