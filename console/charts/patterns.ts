/** How an area is filled, so that it differs by more than its colour. */
export type Pattern = 'solid' | 'dots' | 'diagonal' | 'crossed' | 'vertical' | 'horizontal' | 'sparse';

/** The lines of a pattern on a tile of 8 by 8, as an SVG path; the same path is drawn on the canvas of a chart. */
export const PATTERN_PATHS: Readonly<Record<Pattern, string>> = {
  solid: '',
  dots: 'M1.5 2h1.5M5.5 6h1.5',
  diagonal: 'M-2 2L2-2M0 8L8 0M6 10l4-4',
  crossed: 'M0 0l8 8M8 0L0 8',
  vertical: 'M2 0v8M6 0v8',
  horizontal: 'M0 2h8M0 6h8',
  sparse: 'M3.5 4h1.5',
};

const TILE = 8;

/**
 * A fill for a canvas: the colour, thinned over the surface, with the pattern in the full colour. It hides what is below it.
 *
 * @param density pixels of the screen for each pixel of the page
 */
export function patternFill(
  pattern: Pattern,
  { color, surface }: { readonly color: string; readonly surface: string },
  density: number,
): CanvasPattern | string {
  const tile = document.createElement('canvas');
  tile.width = TILE * density;
  tile.height = TILE * density;
  const context = tile.getContext('2d');
  if (context === null) return color;
  context.scale(density, density);
  context.fillStyle = surface;
  context.fillRect(0, 0, TILE, TILE);
  context.globalAlpha = pattern === 'solid' ? 0.4 : 0.2;
  context.fillStyle = color;
  context.fillRect(0, 0, TILE, TILE);
  context.globalAlpha = 0.9;
  context.strokeStyle = color;
  context.lineWidth = 1.2;
  context.stroke(new Path2D(PATTERN_PATHS[pattern]));
  return context.createPattern(tile, 'repeat') ?? color;
}
