export { odata, TableClient } from '@azure/data-tables';
