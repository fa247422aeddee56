/** A table: the rows of a bench as people read them, in Markdown. */
import { type Limit, median, type Row, verdict } from './row.js';

const columns = ['figure', 'median', 'min', 'max', 'floor', 'aim', '', 'made of'];

/** The rows, one below the other; a figure below its floor says so. */
export function table(rows: readonly Row[]): string {
  const cells = [columns, ...rows.map(cellsOf)];
  const widths = columns.map((_, column) => Math.max(...cells.map(row => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(columns), line(widths.map(width => '-'.repeat(Math.max(3, width)))), ...cells.slice(1).map(line)].join('\n');
}

function cellsOf(row: Row): string[] {
  const { what, values, unit, limit, detail = '' } = row;
  const spread = values.length > 1 ? [shown(Math.min(...values)), shown(Math.max(...values))] : ['', ''];
  return [
    what,
    `${shown(median(values))}${unit === '' || unit === 'x' ? unit : ` ${unit}`}`,
    ...spread,
    bound(limit, limit?.floor),
    bound(limit, limit?.aim),
    verdict(row),
    detail,
  ];
}

function bound(limit: Limit | undefined, value: number | undefined): string {
  if (limit === undefined || value === undefined) return '';
  return `${limit.side === 'least' ? '>=' : '<='} ${value}`;
}

/** Three digits that count. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) >= 100_000) return `${shown(value / 1000)}k`;
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
