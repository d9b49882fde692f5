DROP TABLE sessions;
DROP TABLE user_roles;
DROP TABLE role_parents;
DROP TABLE roles;
DROP TABLE users;
