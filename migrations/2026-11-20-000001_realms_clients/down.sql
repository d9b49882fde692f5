DROP TABLE resources;
DROP TABLE clients;
DROP TABLE realms;
